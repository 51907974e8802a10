"""The gate: a learned policy replaces the incumbent only if it is better on fresh episodes.

The k-th gate runs both policies on episodes of the split `validate` that nothing has seen before,
and asks for an upper bound of cost(policy) - cost(incumbent) below 0:

    passed  =  upper_bound(differences, 1 - .025 / 2^k) < 0,        k = 1, 2, ...

The levels add up to .025, so all gates of a training together let a policy that is no better pass
in at most 2.5 % of trainings (Bonferroni; `jitgym.evaluate.upper_bound` allows for skewness). A
policy that passes is the next incumbent. Looks on the way cost no level: they use episodes 0 to 63,
which no gate uses, and decide nothing alone.

The level holds as far as that bound holds. It cannot know of losses so rare that no episode of the
gate has one: if a loss occurs in a share f of the episodes, n episodes all miss it with probability
(1 - f)^n, which is 8 % for f = 1 % and n = 256, and below 1 % for n = 512. Where the split replays
recorded demand, the level is about that record and not about other years.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from jitgym.control import Policy
from jitgym.evaluate import Interval, lower_bound, rollout, skew_interval, upper_bound
from jitgym.scenario import Scenario

if TYPE_CHECKING:  # a slow import that is not needed at run time
    import pandas

Array = npt.NDArray[np.float64]

LOOKS = 64  # episodes of a look, 0 to 63 of `validate`; gates begin behind them
ERROR = 0.025  # of all gates of a training together
SMALLEST = 40  # halvings of the error: all gates beyond the 40th add less than 1e-12 to it
POWER = 0.8  # with which a saving of the detectable size is found; the usual choice (Cohen 1988)
PERIODS = 2**20  # that one policy runs in a gate: about a second on a plant with one source
FEWEST = 256  # episodes: fewer do not show what is rare
MOST = 4096  # episodes: more say little about a plant whose episodes are so short
MOST_PERIODS = 2**22  # that one policy runs in a gate, before there are fewer than FEWEST episodes
LEAST = 64  # episodes, always


class Rollout(Protocol):
    """`jitgym.evaluate.rollout`, or what a test puts in its place."""

    def __call__(
        self, policy: Any, scenario: Scenario, episodes: int, seed: int, split: str, *, first: int
    ) -> pandas.DataFrame:
        """Return one row per episode, `first` to `first + episodes - 1`."""


@dataclass(frozen=True)
class Verdict:
    """The result of one gate."""

    passed: bool  # whether the policy is better than the incumbent, at this level
    difference: Interval  # cost(policy) - cost(incumbent), paired; its high end is the bound
    detectable: float  # saving, in money, that it would have found with power .8; nan if unknown
    episodes: int  # fresh episodes of `validate` that it used
    level: float  # one-sided probability of a wrong pass, .025 / 2^number
    number: int  # of this gate in its training, from 1
    incumbent_cost: float  # mean cost of the incumbent on these episodes, in money

    def __str__(self) -> str:
        """Return the sentence for a table."""
        if self.passed:
            return (
                f"better than the incumbent on {self.episodes} fresh episodes, by "
                f"{self._with_share(-self.difference.mean)}"
            )
        if self.difference.mean == self.difference.half_width == 0:
            return "nothing to win was found; the costs of all episodes equal the incumbent's"
        if math.isnan(self.detectable):
            return "nothing to win was found; what the check could have detected is not known"
        return (
            "nothing to win was found; the check could have detected a saving of "
            f"{self._with_share(self.detectable)}"
        )

    def _with_share(self, money: float) -> str:
        if not self.incumbent_cost:
            return f"{money:.3g}"
        return f"{money:.3g} ({100 * money / abs(self.incumbent_cost):.2g} %)"

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, with None for what is not known."""
        difference = self.difference
        data = {
            "passed": self.passed,
            "difference": difference.mean,
            "low": difference.low,
            "high": difference.high,
            "interval_level": difference.level,
            "detectable": self.detectable,
            "episodes": self.episodes,
            "level": self.level,
            "number": self.number,
            "incumbent_cost": self.incumbent_cost,
        }
        return {key: value if math.isfinite(value) else None for key, value in data.items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Verdict:
        """Return the verdict that `as_dict` described."""
        known = {key: math.nan if value is None else value for key, value in data.items()}
        low, high, episodes = known["low"], known["high"], int(known["episodes"])
        return cls(
            passed=bool(known["passed"]),
            difference=Interval(
                known["difference"],
                (high - low) / 2,
                episodes,
                known["interval_level"],
                None if math.isnan(high) else (low, high),
            ),
            detectable=known["detectable"],
            episodes=episodes,
            level=known["level"],
            number=int(known["number"]),
            incumbent_cost=known["incumbent_cost"],
        )


def episodes_of(scenario: Scenario) -> int:
    """Return the number of episodes of one gate; it follows from the scenario alone.

    As many as make 2^20 periods, but from 256 to 4,096; and where 256 episodes would be more than
    2^22 periods, as many as make 2^22 periods, but at least 64. So 524 episodes of 2,000 periods,
    4,096 of 52, and 64 of 100,000: each of these is a long average and hardly skewed.
    """
    periods, _ = scenario.horizon.of_split("validate")
    wanted = min(max(PERIODS // periods, FEWEST), MOST)
    return max(min(wanted, MOST_PERIODS // periods), LEAST)


@dataclass
class Gate:
    """The gates of one training, one after the other.

    Its state is plain data (`as_dict`, `from_dict`), so that a resumed training goes on counting.
    The incumbent itself is not in it: the training keeps its policies.
    """

    scenario: Scenario
    incumbent: Policy  # the policy to beat: at first the tuned classic
    seed: int  # of the episodes of `validate`, usually the seed of the training
    verdicts: list[Verdict] = field(default_factory=list)  # of the gates so far
    rollout: Rollout = field(default=rollout, repr=False)
    rows_of_look: pandas.DataFrame | None = field(default=None, init=False, repr=False)
    """The rows of the policy that was looked at last, episodes 0 to 63."""
    _looks: pandas.DataFrame | None = field(default=None, init=False, repr=False)

    @property
    def number(self) -> int:
        """The number of gates so far."""
        return len(self.verdicts)

    @property
    def passed(self) -> int:
        """The number of gates that let a policy pass."""
        return sum(verdict.passed for verdict in self.verdicts)

    @property
    def next_episode(self) -> int:
        """The first episode of `validate` that no look and no gate has used."""
        return LOOKS + sum(verdict.episodes for verdict in self.verdicts)

    @property
    def periods(self) -> int:
        """Simulated periods of one gate, of both policies, for a budget."""
        return 2 * episodes_of(self.scenario) * self.scenario.horizon.of_split("validate")[0]

    @property
    def rows_of_incumbent(self) -> pandas.DataFrame:
        """The rows of the incumbent on the episodes of the looks, 0 to 63."""
        if self._looks is None:
            self._looks = self._rows(self.incumbent, 0, LOOKS)
        return self._looks

    def look(self, policy: Policy) -> Interval:
        """Return the mean of cost(policy) - cost(incumbent) on episodes 0 to 63, in money.

        The interval is one of 95 % for a single look. A training that chooses the best of many
        looks has chosen on these episodes too; only `judge` decides.
        """
        before = self.rows_of_incumbent
        self.rows_of_look = self._rows(policy, 0, LOOKS)
        apart = _costs(self.rows_of_look) - _costs(before)
        if not np.isfinite(apart).all():
            return Interval(math.nan, math.nan, apart.size, 0.95)
        return skew_interval(apart)

    def judge(self, policy: Policy) -> Verdict:
        """Run the next gate; if the policy passes, it is the incumbent from now on."""
        number, first, episodes = self.number + 1, self.next_episode, episodes_of(self.scenario)
        level = ERROR / 2 ** min(number, SMALLEST)
        kept = _costs(self._rows(self.incumbent, first, episodes))
        apart = _costs(self._rows(policy, first, episodes)) - kept
        difference = _bounds(apart, level)
        verdict = Verdict(
            passed=difference.high < 0,  # not if it is nan
            difference=difference,
            detectable=_detectable(difference, apart),
            episodes=episodes,
            level=level,
            number=number,
            incumbent_cost=float(kept.mean()),
        )
        self.verdicts.append(verdict)
        if verdict.passed:
            self.incumbent, self._looks = policy, None
        return verdict

    def as_dict(self) -> dict[str, Any]:
        """Return its state as plain data: the seed and the verdicts so far."""
        return {"seed": self.seed, "verdicts": [verdict.as_dict() for verdict in self.verdicts]}

    @classmethod
    def from_dict(
        cls,
        scenario: Scenario,
        incumbent: Policy,
        data: Mapping[str, Any],
        run: Rollout | None = None,
    ) -> Gate:
        """Return the gate that `as_dict` described, with the policy that is the incumbent now."""
        verdicts = [Verdict.from_dict(verdict) for verdict in data["verdicts"]]
        return cls(scenario, incumbent, data["seed"], verdicts, run or rollout)

    def _rows(self, policy: Policy, first: int, episodes: int) -> pandas.DataFrame:
        """Return the rows of these episodes of `validate`."""
        return self.rollout(policy, self.scenario, episodes, self.seed, "validate", first=first)


def _costs(rows: pandas.DataFrame) -> Array:
    """Return the cost of each episode, in money."""
    return rows["cost"].to_numpy(dtype=np.float64)


def _bounds(apart: Array, level: float) -> Interval:
    """Return the mean difference between its one-sided bounds, each of which errs at this level.

    All is nan if any episode has no finite difference: left out, the worst episodes of a policy
    would not count.
    """
    if not np.isfinite(apart).all():
        return Interval(math.nan, math.nan, apart.size, 1 - 2 * level)
    low, high = lower_bound(apart, 1 - level), upper_bound(apart, 1 - level)
    return Interval(float(apart.mean()), (high - low) / 2, apart.size, 1 - 2 * level, (low, high))


def _detectable(difference: Interval, apart: Array) -> float:
    """Return the saving that would have passed with power .8, if differences vary as much.

    It is (upper bound - mean) + t(n - 1, .8) * standard deviation / sqrt(n); nan if a difference is
    not finite or all are equal, because nothing is then known of how they vary.
    """
    if not difference.half_width > 0:
        return math.nan
    from scipy import stats  # a slow import, so only here

    error = float(apart.std(ddof=1)) / math.sqrt(apart.size)
    return difference.high - difference.mean + float(stats.t.ppf(POWER, apart.size - 1)) * error
