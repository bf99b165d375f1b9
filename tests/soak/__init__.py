"""An hour (or as long as one likes) of mixed load through the gateway, and what must hold at its end.

    make soak                                       60 minutes
    make soak MINUTES=3
    .venv/bin/python -m tests.soak --minutes 10 --workers 2 --kill-worker

locust drives `users`: real client libraries, in a process of their own, with records that can be told apart. `soak`
runs cluster, gateway and locust and looks after them; `watching` samples the gateway's memory and file descriptors,
`sentinels` are connections of which it is known which worker serves them. What the clients saw and what the log holds
become a ledger as a drill's does, and the same checkers (`appliance.drills.checkers`) look for lost, doubled, reordered
and skipped records in it. `judging` turns all that into checks, each kept or not, and touches nothing.

pytest collects `test_*.py` only: the judging, and a soak of some seconds.
"""
