"""Scenario runner, traffic, checkers and verdict.

A drill drives the gateway as a user does, through its API, and real clients through its ports; it never reaches into
it.
`scenario` is what a user writes; the runner and its traffic record what happens into the journal and the ledger;
`judge` is pure: record in, summary out, with checkers that are themselves tested by damage. Time and clients live in
the runner and the traffic; scenario, ledger, checkers, recovery and judge wait for nothing.
"""
