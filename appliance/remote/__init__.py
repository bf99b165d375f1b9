"""The control API as its clients see it: models of its answers and a typed client over HTTP.

The command line and the drills use it, each from its own ring; `api` answers in these very models, so that
the two sides cannot drift apart. Knows the resources and HTTP, nothing of what runs behind the API.
"""
