"""Sourcing policies: which of several sources, carriers or stores gets an order."""
