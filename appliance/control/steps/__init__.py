"""The steps of a switchover, one file per concept, and `table`, which has them in their order.

A step is a state and a function of the `Run`. The conductor writes the state down, then calls the function. A step
before the point of no return raises, and everything is taken back; one after it raises, and the rest is still done.
To put a step in between: a function of a `Run`, a row in the table, a state in `switchover`.
"""
