"""`learned`: the learner that suits a plant, by written rules.

The learners of the settings are tried in order, until the gate lets the policy of one pass.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .registry import find
from .session import Problem
from .settings import Budgeted
from .training import Learning


class Settings(Budgeted):
    """How a learner is chosen; configs/agents/learned.yaml gives the reasons."""

    learners: Annotated[list[str], Field(min_length=1)]  # in the order in which they are tried


def choose(problem: Problem, settings: Settings) -> list[Learning]:
    """Return the learners to try, in order."""
    found = [find(name) for name in settings.learners]
    return [Learning(each, each.read_settings()) for each in found]
