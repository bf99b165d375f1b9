"""The drill's own clients: canary producers and two kinds of consumers, on librdkafka (confluent-kafka).

They are an implementation that is not ours, so what they count is evidence. Each client runs in a worker
thread of its own (librdkafka's calls block); it writes rows into the `Logbook` and looks at a stop flag
between calls, so that trio's side waits for it and never abandons it. Knows the ports of a virtual cluster or
of a cluster, nothing of gateways, faults or verdicts.
"""
