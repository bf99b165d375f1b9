"""The trio shell around `exchange`: the only opener of Kafka sockets.

`server` opens the doors (a bootstrap port and a port per node for each listener) and follows the snapshots; a `pair`
is one client connection with its one upstream connection: two `pump`s between `channel`s, called by the `reactor` when
their sockets are ready, beside trio and not through it; `feed` is where `control` publishes snapshots; `client` is the
gateway's own small Kafka client. Every byte that leaves has been decided by `exchange`.
"""
