"""States to branch from: a herd of plants that follow a policy, each somewhere in its episode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from jitgym.control import Policy, ViewLayout
from jitgym.control.net import Corrector
from jitgym.control.policy import ask_batch
from jitgym.evaluate.closed_loop import checked
from jitgym.plant import SPLITS, Layout, episode_keys

from .rows import Keys, Places, advance_rows, begin_all

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Asking:
    """A policy as a function of state rows: (rows, cells), memory -> (rows, asked cells).

    Policies that are compiled rules, or act on states, are called directly; others see a view.
    """

    policy: Policy
    layout: Layout

    def __call__(self, state: Array, memory: Array) -> Array:
        """Return the quantities, priorities and projects that the policy asks for."""
        inner: Any = getattr(self.policy, "policy", self.policy)  # a tuned policy holds another
        if inner.rule is not None:
            asked = np.zeros((state.shape[0], self.layout.asked_cells))
            ask_batch(self.layout.plant, inner.rule, state, asked)
            return asked
        if callable(getattr(inner, "asks", None)):
            asked = np.asarray(inner.asks(state, memory), dtype=np.float64)
        else:
            asked = np.asarray(inner.act(ViewLayout(self.layout).of(state), memory), np.float64)
        return checked(asked, state.shape[0], self.layout, self.policy.name)

    @property
    def as_data(self) -> Corrector | None:
        """The policy as data for compiled code, if it is a rule that a net corrects."""
        found: Corrector | None = getattr(self.policy, "as_data", None)
        return found

    def start(self, batch: int) -> Array:
        """Return the memory at the start of an episode, (batch, width)."""
        return np.array(self.policy.start(batch), dtype=np.float64)


class Herd:
    """Plants of one split that follow a policy; when an episode ends, the next one begins.

    The plants are staggered, so that together they are everywhere in an episode at any time.
    Episodes are numbered from `first_episode`; plant e runs the episodes first + e, first + e +
    batch, ... They are as long as those of the other splits, so that most states are stationary.
    """

    def __init__(
        self, layout: Layout, batch: int, seed: int, split: str = "train", first_episode: int = 0
    ) -> None:
        self.layout, self.split, self.seed = layout, split, seed
        self.plant = layout.plant_in(split)._replace(periods=layout.scenario.horizon.periods)
        self.state = np.tile(layout.plant.initial, (batch, 1))
        self.memory = np.empty((batch, 0))
        self.period = np.zeros(batch, dtype=np.int64)
        self.episode = first_episode + np.arange(batch, dtype=np.int64)
        self.keys: Keys = episode_keys(split, seed, self.episode)
        self.cost = np.zeros(batch)
        self._tape, self._flows = working_rows(layout)
        self._split = SPLITS.index(split)

    @property
    def size(self) -> int:
        """Number of plants."""
        return int(self.period.size)

    def begin(self, asking: Asking, stagger: int) -> None:
        """Begin the first episodes; plant e has then run e * stagger / plants periods.

        `stagger` is cut at the length of an episode.
        """
        begin_all(self.plant, self.state, self.keys)
        self.memory = asking.start(self.size)
        ahead = (np.arange(self.size) * min(stagger, self.plant.periods)) // self.size
        for t in range(int(ahead.max(initial=0))):
            rows = np.flatnonzero(ahead > t)
            state, memory = self.state[rows], self.memory[rows]
            self._step(rows, state, memory, asking(state, memory))

    def follow(self, asking: Asking, periods: int) -> Array:
        """Run every plant for some periods, and return their costs, (periods, plants)."""
        costs = np.empty((periods, self.size))
        for t in range(periods):
            asked = asking(self.state, self.memory)
            self.run(asked)
            costs[t] = self.cost
            self.begin_next(asking)
        return costs

    def run(self, asked: Array) -> None:
        """Run one period of every plant with these asks, (plants, asked cells); see `cost`.

        No next episode begins: `begin_next` does that.
        """
        self._step(slice(None), self.state, self.memory, asked)

    def begin_next(self, asking: Asking) -> npt.NDArray[np.bool_]:
        """Begin the next episode of the plants whose episode is over; return which ones."""
        over = self.period >= self.plant.periods
        if over.any():
            rows = np.flatnonzero(over)
            self.episode[rows] += self.size
            self.keys[rows] = episode_keys(self.split, self.seed, self.episode[rows])
            state = self.state[rows]
            begin_all(self.plant, state, self.keys[rows])
            self.state[rows] = state
            self.memory[rows] = asking.start(rows.size)
            self.period[rows] = 0
        return over

    def _step(self, rows: Any, state: Array, memory: Array, asked: Array) -> None:
        cost = np.empty(state.shape[0])
        keys, period = self.keys[rows], self.period[rows]
        advance_rows(
            self.plant, self._tape, self._flows, self._split, keys, period, state, asked, cost
        )
        self.state[rows], self.memory[rows] = state, memory
        self.cost[rows] = cost
        self.period[rows] += 1

    def snapshot(self) -> dict[str, npt.NDArray[Any]]:
        """Return all that changes, as arrays."""
        names = ("state", "memory", "period", "episode", "keys")
        return {name: getattr(self, name).copy() for name in names}

    def restore(self, stored: dict[str, npt.NDArray[Any]]) -> None:
        """Restore the plants from a snapshot."""
        for name, rows in stored.items():
            setattr(self, name, np.array(rows))


def working_rows(layout: Layout) -> tuple[Array, Array]:
    """Return a row for the tape and a row for the flows of a period."""
    return np.zeros(layout.plant.channels.size), np.zeros(layout.flow_cells)


def places(periods: npt.ArrayLike) -> Places:
    """Return periods as compiled code reads them."""
    return np.asarray(periods, dtype=np.int64)
