"""The switch matrix: every client lives through switchovers between two real clusters, and is reckoned up afterwards.

    make switch-matrix                                  all of it; writes docs/switchover.md
    make switch-matrix CLIENTS=franz-go,confluent-kafka

`pair` is two clusters and MirrorMaker 2, which can be turned round; `front` is the gateway before them, with its
remedies on or off; `play` starts some clients (`tests.matrix.standing`), switches beneath them and takes down what they
told and what both clusters' logs hold, read around the gateway. `reckoning` is a pure function of that: the drills'
checkers count, nothing is counted anew that they know. `bars` says what must hold, `page` and `screen` show.

A client whose toolchain is missing is not run, and never passed.
"""
