"""The sans-I/O core of a connection: bytes in, bytes and verdicts out.

Decodes on demand, keeps the ledger of requests in flight and the order of responses, negotiates versions, knows which
node id is reached at which address. Opens nothing, waits for nothing, knows no clock: `gateway` does that around it.
"""
