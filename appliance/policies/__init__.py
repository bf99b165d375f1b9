"""Behaviours on the way of messages, one small interceptor a file: connect, govern, protect.

`STANDARD` in `standard` is the one list of those that every virtual cluster gets, in their order. Interceptors are
synchronous, know no clock and no socket, and are tested by calling them.
"""
