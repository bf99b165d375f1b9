"""Live state: what is declared, which cluster serves, which faults are alive; handed out as immutable editions.

`plane` holds it all and publishes a new edition after every change. `catalogue` and `references` are the declared
resources and what they must satisfy together, `statedir` what survives a restart, `faults` the leases.

`switchovers` are all switchovers of the gateway, `switchover` is the record of one, `conductor` carries it out by the
table in `steps`, and `preflight` (with `drift` and `plan`), `replication` and `positions` are what the steps ask of the
clusters; `ways_back` is what one switch leaves behind for the next. `failover_watch` carries out FailoverPolicies:
`canary` tries a cluster, `health` and `failover` decide, both pure, and `catching_up` knows since when a successor has
everything.

An `edition` is plain data. Where the traffic is, `snapshots` makes of it what the data path reads, with the faults that
`armoury` keeps alive: in this process (`one_process`) or in several.

Knows trio and the gateway's surface (`datapath`), no HTTP and no terminal. `api` calls it.
"""
