"""Learned agents: stable-baselines3 on the native vector environment.

Importing this imports torch; importing `agents` does not.
"""

from .checkpoint import expect_folder
from .policy import LearnedPolicy
from .ppo import Trained, load, train
from .settings import Settings, read_settings, suited
from .vecenv import PlantVecEnv

__all__ = [
    "LearnedPolicy",
    "PlantVecEnv",
    "Settings",
    "Trained",
    "expect_folder",
    "load",
    "read_settings",
    "suited",
    "train",
]
