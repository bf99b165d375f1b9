"""The control API: HTTP in front of `control`, in the models of `remote`.

`app` puts it together: `guard` (token, size of bodies), `audited` (who changed what), `problems` (every error as
problem+json), and one module per group of paths. `metric_definitions` has the metrics that there are, `exposition`
fills them in. `server` binds and serves it in the gateway's own nursery. `views` turns live state into answers. Knows
no terminal; whatever it refuses, the message is control's.
"""
