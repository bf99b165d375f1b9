"""The server's side of the SASL mechanisms, one a file.

A mechanism's exchange takes the client's tokens and knows nothing of Kafka's frames around them. It returns a
`Challenge`, `Work`, `WantKeys` or `Proven` and raises `Denied` for everything that does not prove a principal.
"""
