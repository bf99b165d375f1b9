"""Frames that no honest peer would send, by the million: `make fuzz`, or `python -m tests.fuzz`.

`corpus` has messages of every kind that Kafka has, and what strangers send to a Kafka port; `mutation` damages them;
`conversation` lets a client and a broker exchange them through an `Exchange` in this process, in one of the `setups`
(no interceptors, the standard ones, faults armed, fenced); `campaign` holds as many conversations as were asked for and
keeps what it finds; `sockets` sends a smaller share to a gateway that runs as a process, between hostile clients and a
hostile broker.

Whatever comes, the only error is `Malformed`, every conversation ends, memory stays where it was, and what nobody
changes passes byte for byte. A conversation is a function of (seed, number): each can be held again alone.
"""
