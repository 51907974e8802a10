"""Sourcing policies: which of several sources, trucks or places gets an order."""
