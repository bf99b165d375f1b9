"""One gateway in several processes, for several cores: a supervisor, and workers that it keeps alive.

The supervisor (this process: control plane, API, no Kafka client) holds a `fleet`: what control sees as its data path.
Each worker is a process of its own (`worker`), started by exec, with a gateway on the same ports as the others:
SO_REUSEPORT, the kernel deals the connections out. Between the two there is a `link`, a Unix socket pair, and on it
`messages`: editions, moves and drains down, reports up. `member` is the supervisor's end of it, `merging` makes one
picture of many reports, `process` is what Linux knows of a worker, `ordinals` the counts that faults share.

What holds:
 - a worker has the current edition before it opens its doors; an edition is in effect when every worker says so;
 - whoever does not answer holds a drain up; whoever stays silent for `SILENT_SECONDS` is killed and replaced;
 - a dead worker breaks its own connections and nobody else's; it is replaced at once, then with growing pauses;
 - no worker outlives its supervisor, however that ends.

Knows control's surface and the gateway; `cli` starts it. To have a worker tell more, add a field to `messages.Report`.
"""
