"""Fixtures of all tests."""

from hypothesis import settings

pytest_plugins = ["appliance.harness"]

# How long an example takes says how busy the machine is, and nothing of what is tested.
settings.register_profile("tidegate", deadline=None)
settings.load_profile("tidegate")
