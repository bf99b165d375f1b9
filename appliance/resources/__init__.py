"""What users declare: Cluster, Listener, VirtualCluster, FailoverPolicy, Fault, as YAML or JSON, checked before
anything happens.

A file per kind on top of `envelope`; `kinds` is their union, `units` the values that carry a unit, `documents` the way
from a file to resources with every problem listed at once, with file, line and path. Knows nothing of Kafka's bytes
nor of what runs.
"""
