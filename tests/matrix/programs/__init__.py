"""The clients' own programs: as their users would write them, with one command per task and one JSON line per event."""
