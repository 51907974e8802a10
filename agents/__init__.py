"""Policies by name: the classics, tuned or from the textbook, and the learned ones."""
