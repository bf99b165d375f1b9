"""Tidegate: a Kafka gateway that rehearses its own disasters.

The package is built in rings; an arrow of imports points down only (`make lint` proves it):

    cli                  the only place that prints
    harness              fixtures for pytest
    api | drills         control API over HTTP | scenarios, traffic, checkers, verdict
    lab                  real Kafka clusters on this machine
    report               run record -> HTML, JUnit, JSON; from files alone
    control              live state, snapshots, switchover, leases
    gateway              trio shell, the only opener of Kafka sockets
    policies | chaos     interceptors | faults
    exchange             sans-I/O connection core: ledger, order, versions, topology
    wire                 Kafka's bytes: frames, headers, layouts, walks
    resources            what users declare
    journal              the event vocabulary and the append-only run record

`docs/architecture.md` has the picture and a record's way through it.
"""

__version__ = "0.1.0"
