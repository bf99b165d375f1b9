"""From a run record to what people and machines read: `index.html`, `junit.xml`, `summary.json`.

Works from the files of a run directory alone; knows neither Kafka nor the gateway, opens no socket and waits for
nothing. `summary` is the verdict in numbers (its JSON Schema is `docs/schemas/summary.json`), made by `drills` and only
rendered here.
"""
