"""Adaptive policies: levels follow a forecast, a season, a regime or what has been learned."""
