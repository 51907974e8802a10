"""Policies played on the tape: rows, how sure they are, and what a run leaves on disk."""
