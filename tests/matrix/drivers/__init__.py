"""The clients: one file per family, listed in `every.py`."""
