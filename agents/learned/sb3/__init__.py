"""Learners from stable-baselines3, and what they need: environments, sessions, nets."""
