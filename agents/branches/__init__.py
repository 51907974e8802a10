"""Branches: an incumbent and variants of its orders, side by side on one tape until they meet."""

from .lockstep import Branches, Points, branch
from .states import Asking, Herd

__all__ = ["Asking", "Branches", "Herd", "Points", "branch"]
