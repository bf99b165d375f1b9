"""The command line: the only ring that prints and ends the process.

`app` lists all commands; one module per command or family of them. `endings` turns errors into one message
and an exit code (2: the input is wrong, 1: it was refused or failed), `terminal` writes, `connection` finds
the control API. Everything else is done by the rings below.
"""
