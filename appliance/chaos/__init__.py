"""Faults: disturbances that a broker or a network could have caused, injected on purpose, counted, and repeatable.

`aim` is the shared wrapper: selector, trigger, seed and counters, written once; each fault file holds only its essence.
`legality` is the table of what a broker could have answered; `faults.arm` makes a fault from its spec. When a fault is
in force is not decided here: `control` puts it into snapshots and takes it out (lease, window).
"""
