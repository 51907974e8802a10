"""Learners of stable-baselines3: vector environment, callbacks, PPO."""
