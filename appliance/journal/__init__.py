"""The run record: a vocabulary of events and the append-only, hash-chained file that holds them.

A drill writes what happened, in order, and nothing else; verdict and report are derived from it later.
This ring imports nothing of ours, and neither clock nor randomness: whoever records hands the times in.
Times of a run are seconds since its start on one monotonic clock; the wall clock appears beside them for people.
"""
