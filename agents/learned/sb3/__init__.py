"""Learners from stable-baselines3: vector environment, callbacks, PPO."""
