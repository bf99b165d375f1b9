"""Live state: what is declared, which cluster serves, which faults are alive; made into immutable snapshots.

`plane` holds it all and publishes a new snapshot after every change. `catalogue` and `references` are the
declared resources and what they must satisfy together, `statedir` what survives a restart, `faults` the
leases, `switchover` the record of a switchover and `conductor` its steps, `preflight` and `replication` what
these ask of the clusters.

Knows trio and the gateway's surface (`datapath`), no HTTP and no terminal. `api` calls it.
"""
