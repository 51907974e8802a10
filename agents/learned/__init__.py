"""Learned agents: stable-baselines3 on the native vector environment.

Importing this package imports torch; importing `agents` does not.
"""

from .checkpoint import expect_folder
from .policy import LearnedPolicy
from .sb3.ppo import Trained, load, train
from .sb3.vecenv import PlantVecEnv
from .settings import Settings, read_settings, suited

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
