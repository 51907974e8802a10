"""What stands in the way of an exact solution."""

from __future__ import annotations

from jitgym.errors import ScenarioError


class NotFinite(ScenarioError):
    """A plant that is no finite Markov decision process in what its decision maker sees."""


class TooLarge(ScenarioError):
    """A plant whose states or transitions would take more memory than is allowed."""
