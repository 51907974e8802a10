"""Tuning: parameters of a classic policy by search, in simulation or exactly."""
