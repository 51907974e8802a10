"""Reorder policies of a single item: when to order, and how much."""
