"""The client matrix: every client, unmodified, through the gateway, before three real brokers.

    make clients                                        all of it; writes docs/clients.md
    .venv/bin/python -m tests.matrix --only franz-go --listener plain --no-write

A `Driver` (`driver`, one file per family in `drivers/`) knows how a client is installed, pinned, started and
understood; the clients' own programs, in their own languages, are in `programs/`: one command per task, one JSON line
per thing that happened. `checks` gives tasks to a driver and compares what the client says with what `truth` finds
when it asks the brokers themselves, with another library and around the gateway. `watching` looks at the client's
sockets meanwhile: one that leads to a broker fails the client. `results`, `page` and `screen` only show.

A client whose toolchain is missing is not run, and never passed. `standing` starts clients that live through something
and are asked afterwards what they saw.

pytest collects `test_*.py` only, which starts no Kafka and installs nothing.
"""
