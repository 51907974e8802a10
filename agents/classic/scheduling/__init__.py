"""Scheduling policies: what a shared work center makes next."""
