"""Closed forms of the inventory literature, without a policy."""
