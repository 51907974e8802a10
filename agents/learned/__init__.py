"""Learners: policies that are trained by reinforcement learning, by name through a registry.

Importing this package does not import torch; training or loading a policy does.
"""

from .registry import LEARNERS, Learner, expect_folder, find

__all__ = ["LEARNERS", "Learner", "expect_folder", "find"]
