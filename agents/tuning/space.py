"""The space of a policy's numbers: the values that a tuner may try, as steps from the textbook's.

Up to six numbers move one or two at a time. If there are more, the numbers of a group move
together, each by its own step, or one number moves alone (groups only, if there are more than 32).
A group holds one parameter of all sources with the same role: at one work center, or at the same
distance from the customer, and of the same rank among the sources of their items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from jitgym.scenario import Scenario
from jitgym.units import whole, whole_up

from ..classic import Parameter, Values, values_of

Array = npt.NDArray[np.float64]

FEW_NUMBERS = 6  # if there are more, groups move
MANY_NUMBERS = 32  # if there are more, no number moves alone

Point = tuple[int, ...]
"""A candidate: the distance of each number from the textbook's, in steps."""


@dataclass(frozen=True)
class Space:
    """The numbers that a tuner moves, all in one vector, on the grid of their steps."""

    parameters: Sequence[Parameter]
    roles: Mapping[str, object] = field(default_factory=dict)  # source -> its role, see `roles`

    @property
    def groups(self) -> npt.NDArray[np.int64]:
        """Group of each number, (numbers,); if there are few numbers, each is its own group."""
        keys = [(p.name, self.roles.get(of, of)) for p in self.parameters for of in p.of]
        if len(keys) <= FEW_NUMBERS:
            return np.arange(len(keys))
        number = {key: k for k, key in enumerate(dict.fromkeys(keys))}
        return np.array([number[key] for key in keys])

    @property
    def moves(self) -> npt.NDArray[np.int64]:
        """Ways to move the numbers, in steps, (moves, numbers)."""
        groups, count = self.groups, self.size
        if count <= FEW_NUMBERS:
            return moves_of(count)
        together = moves_of(int(groups.max()) + 1)[:, groups]
        if count > MANY_NUMBERS:
            return together
        alone = np.eye(count, dtype=np.int64)
        return np.unique(np.vstack([together, alone, -alone]), axis=0)

    @property
    def patterns(self) -> list[npt.NDArray[np.int64]]:
        """The moves in the order in which a pattern search tries them, (moves, numbers) each.

        Of many numbers only one group or one number moves first. Pairs of groups, which are most of
        the moves, follow where that does not help.
        """
        if self.size <= FEW_NUMBERS:
            return [self.moves]
        groups = self.groups
        one = np.vstack([np.eye(groups.max() + 1, dtype=np.int64)[:, groups], np.eye(self.size)])
        ways = [tuple(row) for row in np.vstack([one, -one]).astype(np.int64).tolist()]
        is_one = np.array([tuple(row) in set(ways) for row in self.moves.tolist()])
        return [self.moves[is_one], self.moves[~is_one]]

    @property
    def size(self) -> int:
        """The number of numbers."""
        return self.textbook.size

    @property
    def origin(self) -> Point:
        """The candidate with the textbook's values."""
        return (0,) * self.textbook.size

    @property
    def textbook(self) -> Array:
        """The textbook's values, (numbers,)."""
        return np.concatenate([parameter.textbook for parameter in self.parameters])

    @property
    def step(self) -> Array:
        """The step of each number, its finest difference, (numbers,)."""
        return np.concatenate([parameter.step for parameter in self.parameters])

    @property
    def bounds(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Lowest and highest steps from the textbook, (numbers,) each."""
        low = np.concatenate([np.broadcast_to(p.low, p.textbook.size) for p in self.parameters])
        high = np.concatenate([p.high for p in self.parameters])
        down = whole_up((low - self.textbook) / self.step)
        up = whole((high - self.textbook) / self.step)
        return np.minimum(down, 0).astype(np.int64), np.maximum(up, 0).astype(np.int64)

    def values(self, point: Point) -> Values:
        """Return the values of a candidate, by parameter."""
        numbers = np.round(self.textbook + np.array(point) * self.step, 9)
        sizes = np.cumsum([parameter.textbook.size for parameter in self.parameters])
        parts = np.split(numbers, sizes[:-1])
        return {p.name: part for p, part in zip(self.parameters, parts, strict=True)}

    def point(self, values: Values) -> Point:
        """Return the candidate nearest to these values, within the bounds."""
        numbers = np.concatenate([values[parameter.name] for parameter in self.parameters])
        steps = np.rint((numbers - self.textbook) / self.step).astype(np.int64)
        (found,) = self.clipped(steps[np.newaxis])
        return found

    def clipped(self, points: npt.NDArray[np.int64]) -> list[Point]:
        """Return these points moved within the bounds, each once."""
        inside = np.clip(points, *self.bounds)
        return list(dict.fromkeys(tuple(point) for point in inside.tolist()))

    def sample(self, count: int, seed: int) -> list[Point]:
        """Return the textbook's values and other points, spread evenly (a Latin hypercube)."""
        low, high = self.bounds
        rng = np.random.default_rng(seed)
        groups = self.groups
        cells = rng.permuted(np.tile(np.arange(count), (groups.max() + 1, 1)), axis=1).T
        spread: Array = ((cells + rng.random(cells.shape)) / count)[:, groups]
        if low.size <= FEW_NUMBERS:
            spread = np.asarray(low + spread * (high - low + 1), dtype=np.float64)
        else:  # from the lowest values through the textbook's to the highest
            spread = np.where(spread < 0.5, (1 - 2 * spread) * low, (2 * spread - 1) * high)
        return self.clipped(np.concatenate([[self.origin], np.floor(spread).astype(np.int64)]))

    @property
    def coarse(self) -> npt.NDArray[np.int64]:
        """The steps of the first pattern: powers of two, about an eighth of the range."""
        low, high = self.bounds
        return 1 << np.maximum(np.log2(np.maximum(high - low, 1) / 8), 0).astype(np.int64)

    @property
    def halvings(self) -> int:
        """Number of rounds of the search; each one halves the steps.

        With one or two numbers the steps go down to 1. With more there are at most four rounds,
        down to about a hundredth of each range: noise hides smaller differences, and smaller steps
        would take most of the time.
        """
        down_to_one = int(self.coarse.max()).bit_length()
        return down_to_one if self.coarse.size <= 2 else min(down_to_one, 4)

    @property
    def fine(self) -> int:
        """Number of step sizes from the first pattern's down to 1, each half of the one before."""
        return int(self.coarse.max()).bit_length()

    def widened(self, times: float) -> Space:
        """Return a space whose ranges are this many times as wide, as far as values are valid."""
        return replace(self, parameters=[_widened(each, times) for each in self.parameters])

    @property
    def is_real(self) -> bool:
        """Whether some of the numbers are real."""
        return any(parameter.real for parameter in self.parameters)


def _widened(parameter: Parameter, times: float) -> Parameter:
    low, most = np.asarray(parameter.low), parameter.most
    return replace(parameter, high=np.minimum(low + times * (parameter.high - low), most))


def held(policy: str, parameters: Sequence[Parameter], fixed: Mapping[str, Any]) -> list[Parameter]:
    """Return the parameters; those in `fixed` can only have these values.

    Raises ScenarioError if there is no such parameter, or a value is not valid.
    """
    values = values_of(policy, parameters, fixed)
    return [
        parameter
        if values[parameter.name] is parameter.textbook
        else replace(
            parameter,
            textbook=values[parameter.name],
            low=values[parameter.name],
            high=values[parameter.name],
        )
        for parameter in parameters
    ]


def roles(scenario: Scenario) -> dict[str, object]:
    """Return the role of each source: work center, distance from the customer, and rank."""
    far: dict[str, int] = {}
    for item in reversed(scenario.items_upstream_first):
        users = [scenario.sources[name].makes for name in scenario.consumers_of(item)]
        far[item] = 1 + max((far[user] for user in users), default=-1)
    return {
        name: (
            source.at,
            0 if source.at else far[source.makes],
            scenario.sources_of(source.makes).index(name),
        )
        for name, source in scenario.sources.items()
    }


def moves_of(numbers: int) -> npt.NDArray[np.int64]:
    """Return every way to move one or two of the numbers up or down, (moves, numbers)."""
    units = np.vstack([np.eye(numbers, dtype=np.int64), -np.eye(numbers, dtype=np.int64)])
    pairs = [a + b for a, b in combinations(units, 2) if np.any(a + b)]
    return np.array([*units, *pairs])
