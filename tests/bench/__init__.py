"""What the gateway costs: the same work direct, through a bare relay, and through the gateway, side by side.

    make bench                                     everything, about five minutes
    .venv/bin/python -m tests.bench --only produce --rounds 3 --megabytes 100 --no-write

`bare_relay` is the yardstick: the least that a Kafka relay in Python can do. `measuring` goes round by round over the
sides, on real brokers from `appliance.lab`; `load` is the clients, always in a process of their own. `figures` turns
what was measured into ratios, spreads and verdicts, and touches nothing; `screen` and `page` show them. Nothing here
fails because a machine is slow: a bar is met or not met, and the page says so.

pytest collects `test_*.py` only, which needs no Kafka and measures nothing.
"""
