"""Fixtures of all tests."""

pytest_plugins = ["appliance.harness"]
