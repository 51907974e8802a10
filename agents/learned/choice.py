"""`learned`: the learners that suit a plant, by a written rule.

    few sources, and a noise scale at the classic up to `quiet` states:  the learners `of_quiet`
    else:                                                                the learners `of_noisy`

The noise scale is measured on a counted number of pairs of branches (`sb3.paired`). The learners of
the list are tried in order, until the gate lets the policy of one pass. The headroom check before
them says what single deviations could save (`headroom`); it is reported and decides nothing,
because corrections that last can save where single ones do not.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from jitgym.distributions import Positive

from .headroom import Headroom, check
from .registry import find
from .session import Problem
from .settings import Budgeted, Count
from .training import Learning

Names = Annotated[list[str], Field(min_length=1)]


class Settings(Budgeted):
    """How a learner is chosen; configs/agents/learned.yaml gives the reasons."""

    few: Count  # sources: plants with more have the learners of noisy ones
    quiet: Positive  # states: largest noise scale of a quiet plant
    of_quiet: Names  # learners to try, in order
    of_noisy: Names


def choose(problem: Problem, settings: Settings) -> tuple[list[Learning], Headroom]:
    """Return the learners to try, in order, and what the headroom check found."""
    from .sb3 import paired

    found = check(problem)
    noise = paired.noise_of(problem, find("paired-ppo").read_settings())
    is_quiet = len(problem.scenario.sources) <= settings.few and noise.scale <= settings.quiet
    names = settings.of_quiet if is_quiet else settings.of_noisy
    learners = [find(name) for name in names]
    return [Learning(each, each.read_settings()) for each in learners], found
