"""Closed formulas of the inventory literature, independent of any policy."""
