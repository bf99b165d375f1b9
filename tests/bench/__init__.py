"""What the gateway costs: the same work direct, through a bare relay, through the gateway and through the peers that a
user has, side by side.

    make bench                                     everything, about a quarter of an hour
    make bench PEERS="kafka-proxy=BINARY kroxylicious=FOLDER"
    .venv/bin/python -m tests.bench --only produce consume --rounds 3 --megabytes 100 --no-write

`bare_relay` is the yardstick: the least that a Kafka relay in Python can do. `sides` and `peers` start what is
compared. `measuring` goes round by round over it as `plans` says, on real brokers from `appliance.lab`; `clients`
starts `load`, the clients, always in a process of their own: librdkafka, or bare sockets (`bare_client` and what uses
it) where the number of connections matters. `figures` turns what was measured into ratios and spreads, `bars` into
verdicts; neither touches anything. `tables` puts them into words, which `screen` and `page` show. Nothing here fails
because a machine is slow: a bar is met or not met, and the page says so.

pytest collects `test_*.py` only, which measures nothing: it lets the whole run in small (`--quick`).
"""
