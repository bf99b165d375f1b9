"""The client's side: how the gateway proves to a cluster who it is.

A `SaslClient` per mechanism knows its tokens, `login` puts them into Kafka's requests, `token_endpoint` makes the
request for a bearer token and reads its answer. Sans-I/O as everything here: the gateway sends, waits and fetches.
"""
