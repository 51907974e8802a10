"""Reorder policies for a single item: when to order, and how much."""
