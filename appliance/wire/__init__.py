"""Kafka's bytes and nothing else: layouts, walks over messages, edits, headers, record batches.

The message definitions are kio's (generated from Apache Kafka's own); `layout` reads them, `walk` compiles, once per
kind of message and set of wanted fields, a function that passes over the bytes and reports where those fields stand.
So a message is never turned into objects to change a port in it, record bytes are skipped by their length, and unknown
tagged fields survive. Whole messages as objects (the gateway's own requests) go through `codec`.

Every fault of the input is `Malformed`, whatever bytes come.
"""
