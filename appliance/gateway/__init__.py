"""The trio shell around `exchange`: the only opener of Kafka sockets.

`server` opens the `doors` (a bootstrap port and a port per node for each listener) and follows the snapshots; `host`
serves a client from its door to its end: `reception` finds out who it is, `dialer` connects to its node, a `pair` moves
the bytes: two `pump`s between `channel`s, called by the `reactor` when their sockets are ready, beside trio and not
through it. `shares` is what the connections of one listener have in common (admission, memory, answers); `feed` is
where `control` publishes snapshots; `client` is the gateway's own small Kafka client. Every byte that leaves has been
decided by `exchange`, and who somebody is by `identity`.
"""
