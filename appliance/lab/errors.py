"""What can go wrong with a lab. Each message is one line: what was expected, what was found, what to do."""


class LabError(Exception):
    """A lab that cannot do what was asked."""


class JarsUnavailable(LabError):
    """Kafka's jars could not be had: no repository answers. `auto` falls back to the embedded broker then."""


class JarDiffers(LabError):
    """A jar is not the one that the lock names. Never fallen back from: somebody should look."""


class BrokerFailed(LabError):
    """A broker or replicator ended or was not ready in time; the message has its last log lines and the log's path."""


class EngineUnavailable(LabError):
    """No container engine answers."""
