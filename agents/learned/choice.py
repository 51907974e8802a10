"""`learned`: the learners that suit a plant, by a written rule.

    the cost has slopes:  the learners `smooth`     (see `hindsight.twin.why_not`)
    up to `few` sources:  the learners `of_few`
    else:                 the learners `of_many`

The learners of the list are tried in order, until the gate lets the policy of one pass. The
headroom check before them says what single deviations could save (`headroom`); it is reported and
decides nothing, because corrections that last can save where single ones do not.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .corrections import rule_of
from .headroom import Headroom, check
from .hindsight.twin import why_not
from .registry import find
from .session import Problem
from .settings import Budgeted, Count
from .training import Learning

Names = Annotated[list[str], Field(min_length=1)]


class Settings(Budgeted):
    """How a learner is chosen; configs/agents/learned.yaml gives the reasons."""

    smooth: Names  # learners to try, in order
    few: Count  # sources
    of_few: Names
    of_many: Names


def choose(problem: Problem, settings: Settings) -> tuple[list[Learning], Headroom]:
    """Return the learners to try, in order, and what the headroom check found."""
    found = check(problem)
    is_small = len(problem.scenario.sources) <= settings.few
    names = settings.of_few if is_small else settings.of_many
    if not why_not(problem.layout, rule_of(problem.start.policy)):
        names = settings.smooth
    learners = [find(name) for name in names]
    return [Learning(each, each.read_settings()) for each in learners], found
