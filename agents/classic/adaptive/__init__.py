"""Adaptive policies: their levels follow a forecast, a season, a regime, or past sales."""
