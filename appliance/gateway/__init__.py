"""The trio shell around `exchange`: the only opener of Kafka sockets.

`server` opens the doors (a bootstrap port and a port per node for each listener) and follows the snapshots; a `pair`
is one client connection with its one upstream connection and two pumps; `feed` is where `control` publishes snapshots;
`client` is the gateway's own small Kafka client. Every byte that leaves has been decided by `exchange`.
"""
