"""Live state: what is declared, which cluster serves, which faults are alive; handed out as immutable editions.

`plane` holds it all and publishes a new edition after every change. `catalogue` and `references` are the declared
resources and what they must satisfy together, `statedir` what survives a restart, `faults` the leases, `switchover` the
record of a switchover and `conductor` its steps, `preflight` and `replication` what these ask of the clusters.

An `edition` is plain data. Where the traffic is, `snapshots` makes of it what the data path reads, with the faults that
`armoury` keeps alive: in this process (`one_process`) or in several.

Knows trio and the gateway's surface (`datapath`), no HTTP and no terminal. `api` calls it.
"""
