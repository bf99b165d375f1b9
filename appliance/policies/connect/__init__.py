"""Behaviours that make a virtual cluster one endpoint, whatever cluster serves it."""
