"""Errors: why a plant cannot be solved exactly."""

from __future__ import annotations

from jitgym.errors import ScenarioError


class NotFinite(ScenarioError):
    """The plant is not a finite Markov decision process in what its decision maker sees."""


class TooLarge(ScenarioError):
    """The states or transitions of the plant would take more memory than is allowed."""
