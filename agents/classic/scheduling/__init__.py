"""Scheduling policies: they decide what a shared work center makes next."""
