"""The engine: a batch of plants, one row per plant, that compiled code steps.

Every environment, single or vector, runs on it, and so does every policy that is not a compiled
rule.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from jitgym.control.decoding import decode_row
from jitgym.control.encodings import (
    UNITS,
    ActionEncoding,
    ActionTable,
    ObservationEncoding,
    observe_row,
    observe_states,
)
from jitgym.errors import whole_number
from jitgym.plant import SPLITS, Layout, episode_keys, kpis_of
from jitgym.plant.draws import read_tape
from jitgym.plant.dynamics import begin, count_cycles, step
from jitgym.plant.jit import compiled, entry
from jitgym.plant.ledger import book
from jitgym.plant.records import Matrix, Plant, Records, Row

# The columns of `totals`: the yardstick so far, and the weight of the next period's cost in it.
TOTALS = COST, WEIGHT = range(2)

NUMBERS = "?bBhHiIlLqQefdg"  # numpy's kinds of numbers that an action may have

# A seed is a 64-bit number; the bound of an episode leaves room to count on.
MOST_SEED = 2**63 - 1
MOST_EPISODE = 2**62


class Options(NamedTuple):
    """The options of a reset, checked."""

    rows: npt.NDArray[np.bool_]  # which to reset, (batch,)
    split: str
    episode: npt.NDArray[np.int64] | None  # (batch,)
    state: npt.NDArray[np.float64] | None  # first states, (batch, cells)


class Engine:
    """A batch of plants of one scenario.

    Rows are plants. `state` is (batch, cells). `sums` (batch, flow cells) holds each flow summed
    over the measured periods of the current episode, `period` (batch,) the number of periods that
    are over. `reward`, `cost`, `terms`, `asked`, `granted`, `observation` and `ended` hold the
    results of the last step; the next step overwrites them, so callers must copy them.
    """

    def __init__(self, layout: Layout, batch: int, action: ActionEncoding) -> None:
        kpis_of(layout.scenario)  # a wrong KPI name is reported before the first episode
        self.layout = layout
        self.batch = batch
        self.action = action
        self.observation_encoding = ObservationEncoding(layout)
        plant = layout.plant
        self.state = np.tile(plant.initial, (batch, 1))
        self.sums = np.zeros((batch, layout.flow_cells))
        self.totals = np.zeros((batch, len(TOTALS)))
        self.period = np.zeros(batch, dtype=np.int64)
        self.is_new = np.ones(batch, dtype=np.bool_)  # its episode begins at the next step
        self.placed = np.zeros(batch, dtype=np.bool_)  # has begun an episode
        self.is_placed = False  # whether all plants have
        self.keys = np.zeros(batch, dtype=np.uint64)
        self.seed = np.zeros(batch, dtype=np.int64)
        self.episode = np.zeros(batch, dtype=np.int64)
        self.actions = np.zeros((batch, action.table.cells.size))
        self.width = len(self.observation_encoding.entries)
        self.observation = np.empty((batch, self.width), dtype=np.float32)
        self.reward = np.empty(batch)
        self.cost = np.empty(batch)
        self.terms = np.empty((batch, len(layout.terms)))
        self.asked = np.zeros((batch, layout.asked_cells))
        self.granted = np.empty((batch, plant.sources.size))
        self.ended = np.empty(batch, dtype=np.bool_)
        self.flows = np.zeros(layout.flow_cells)  # flows of the last plant stepped
        self._split = "train"
        self.plant = layout.plant_in(self._split)
        self._tape = np.zeros(plant.channels.size)
        self._numbers = action.table.rule.numbers[0].copy()
        self._levels = np.zeros(plant.sources.size)
        self._scale = 1.0 / layout.scenario.reward_scale
        self._bind()

    def __getstate__(self) -> dict[str, Any]:
        """Return all that can be stored: not the machine code and its bound arguments."""
        bound = ("_advance", "_arguments", "_places")
        return {name: value for name, value in self.__dict__.items() if name not in bound}

    def __setstate__(self, stored: dict[str, Any]) -> None:
        """Bind the machine code again."""
        self.__dict__.update(stored)
        self._bind()

    def _accepted(self) -> dict[tuple[int, ...], npt.NDArray[np.float64]]:
        """Return the place for actions of each accepted shape; the expected shape comes first."""
        # numpy would silently broadcast one number to all sources, or one row to all plants.
        batch, width = self.actions.shape
        one = self.action.shape
        expected = one if batch == 1 else (batch, *one)
        shapes = [expected, (batch, *one), (batch, width), *([(width,)] if batch == 1 else [])]
        places = {shape: self.actions.reshape(shape) for shape in shapes}
        if self.action.table.kind == UNITS:  # priorities and projects may be left out
            places |= {(batch, fewer): self.actions[:, :fewer] for fewer in range(width)}
        return places

    def _bind(self) -> None:
        # The engine owns these arrays and never moves them, so their types and addresses are looked
        # up once and not at every step.
        self._arguments = self._gather()
        self._advance = entry(advance, *self._arguments)
        self._places = self._accepted()

    def _gather(self) -> tuple[Any, ...]:
        return (
            self.plant,
            self.observation_encoding.table,
            self.action.table,
            self.actions,
            self.keys,
            SPLITS.index(self._split),
            self._scale,
            self.state,
            self.sums,
            self.flows,
            self.totals,
            self.period,
            self.is_new,
            self._tape,
            self._numbers,
            self._levels,
            self.observation,
            self.reward,
            self.cost,
            self.terms,
            self.asked,
            self.granted,
            self.ended,
        )

    @property
    def split(self) -> str:
        """The split whose episodes the plants run."""
        return self._split

    @split.setter
    def split(self, split: str) -> None:
        expect_split(split)
        if split != self._split:
            self._split = split
            self.plant = self.layout.plant_in(split)
            self._bind()

    def place(self, rows: npt.NDArray[np.bool_]) -> None:
        """Put the plants of these rows, (batch,), at the start of their current episode."""
        self.keys[rows] = episode_keys(self.split, self.seed[rows], self.episode[rows])
        begin_rows(self.plant, self.state, self.keys, rows)
        self.sums[rows] = 0.0
        self.totals[rows] = (0.0, self.plant.average)
        self.period[rows] = 0
        self.is_new[rows] = False
        self.placed[rows] = True
        self.is_placed = bool(self.placed.all())

    def reset(self, seed: Any, options: dict[str, Any] | None, *, can_mask: bool) -> None:
        """Begin new episodes, as described in an environment's `reset`.

        All arguments are checked before anything changes, so a refused call changes nothing.
        `can_mask` says whether the option `reset_mask` is allowed.

        Raises
        ------
        ValueError
            If the seed or an option is not valid.
        """
        rows, split, episode, state = self._read_options(options, can_mask)
        seeds, is_given = self._read_seeds(seed)
        if episode is None:
            episode = np.where(is_given, 0, self.episode + 1)
        self.split = split
        self.seed[rows], self.episode[rows] = seeds[rows], episode[rows]
        self.place(rows)
        if state is not None:
            self.state[rows] = state[rows]
            if self.layout.scenario.horizon.ends:  # the season goes on from there, to its end
                self.period[rows] = state[rows, self.plant.clock].astype(np.int64)

    def _read_options(self, options: dict[str, Any] | None, can_mask: bool) -> Options:
        """Return the rows to reset, the split, and the episodes and first states if given."""
        if not isinstance(options, dict | None):
            raise ValueError(f"options are {options!r}; expected a dict or None")
        rest = dict(options or {})
        episode, split = rest.pop("episode", None), rest.pop("split", self._split)
        state = expected_states(self.layout, rest.pop("state", None), self.batch)
        mask = rest.pop("reset_mask", None) if can_mask else None
        if rest:
            known = "'split', 'episode', 'state'" + (" or 'reset_mask'" if can_mask else "")
            raise ValueError(f"reset option {next(iter(rest))!r} is unknown; expected {known}")
        expect_split(split)
        rows = np.ones(self.batch, dtype=np.bool_) if mask is None else np.array(mask)
        if rows.dtype != np.bool_ or rows.shape != (self.batch,):
            raise ValueError(
                f"reset_mask is {mask!r}; expected True or False for each of the "
                f"{self.batch} environments"
            )
        if split != self._split and self.placed[~rows].any():
            raise ValueError(
                f"reset_mask leaves environments in the split {self._split!r}, but a batch has "
                f"only one split; expected no reset_mask with the split {split!r}"
            )
        if episode is None:
            return Options(rows, split, None, state)
        each = self._each("episode", episode)
        found = [whole_number("episode", value, 0, MOST_EPISODE) for value in each]
        return Options(rows, split, np.array(found, dtype=np.int64), state)

    def _read_seeds(self, seed: Any) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Return the seed of each row, and whether it is new (otherwise the row keeps its seed)."""
        if seed is not None and not isinstance(seed, list | tuple | np.ndarray):
            first = whole_number("seed", seed, 0, MOST_SEED - (self.batch - 1))
            return first + np.arange(self.batch), np.ones(self.batch, dtype=np.bool_)
        seeds, is_given = self.seed.copy(), ~self.placed
        if is_given.any():
            drawn = np.random.SeedSequence().generate_state(self.batch).astype(np.int64)
            seeds[is_given] = drawn[is_given]
        if seed is not None:
            for row, one in enumerate(self._each("seed", seed)):
                if one is not None:
                    seeds[row] = whole_number("seed", one, 0, MOST_SEED)
                    is_given[row] = True
        return seeds, is_given

    def _each(self, what: str, given: Any) -> list[Any]:
        """Return the given value for each row."""
        if not isinstance(given, list | tuple | np.ndarray):
            return [given] * self.batch
        if len(given) != self.batch:
            raise ValueError(
                f"{len(given)} {what}s for {self.batch} environments; expected one per environment"
            )
        return list(given)

    def next_episode(self, rows: npt.NDArray[np.bool_]) -> None:
        """Put the plants of these rows, (batch,), at the start of their next episode."""
        self.episode[rows] += 1
        self.place(rows)

    def observe(self) -> npt.NDArray[np.float32]:
        """Return the observation of the current state, (batch, entries), without a step."""
        observation = np.empty((self.batch, self.width), dtype=np.float32)
        observe_states(self.observation_encoding.table, self.state, observation)
        return observation

    def step(self, actions: npt.NDArray[Any]) -> None:
        """Run one period of every row; a row with a new episode only gets its first observation.

        `actions` is (batch, sources) of any real dtype, in the encoding of this engine's control,
        or (batch,) if an action is a single choice.
        """
        given = np.asarray(actions)
        place = self._places.get(given.shape)
        if place is None:
            expected = next(iter(self._places))
            raise ValueError(f"the action has shape {given.shape}; expected {expected}")
        if given.dtype.char not in NUMBERS:
            raise ValueError(f"the action {actions!r} is of type {given.dtype}; expected numbers")
        place[...] = given
        row = self._advance(*self._arguments)
        if row >= 0:
            raise ValueError(
                f"the action of row {row} is {self.actions[row]}; expected "
                f"{self.action.expected(self.actions[row])}"
            )

    @property
    def measured(self) -> int:
        """Number of periods of an episode that count in cost and KPIs."""
        return int(self.plant.periods - self.plant.warm_up)

    @property
    def episode_cost(self) -> npt.NDArray[np.float64]:
        """The scenario's yardstick over the measured periods so far, (batch,), in money."""
        return self.totals[:, COST].copy()


def expect_split(split: object) -> None:
    """Raise ValueError if there is no such split."""
    if not isinstance(split, str) or split not in SPLITS:
        raise ValueError(f"split {split!r} is unknown; expected one of {', '.join(SPLITS)}")


def expected_states(layout: Layout, given: Any, batch: int) -> npt.NDArray[np.float64] | None:
    """Return the given first states of a batch, (batch, cells), or None if there are none.

    Raises ValueError unless each row is a state that the plant can be in: finite, not negative,
    with categories and clock in their range. Cells that may be negative are the units owed to a
    contract and what a forecast does not show.
    """
    if given is None:
        return None
    shape = (batch, layout.cells)
    try:
        state = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"state is {given!r}; expected numbers of shape {shape}") from None
    if state.shape != shape and not (batch == 1 and state.shape == shape[1:]):
        raise ValueError(
            f"state has the shape {state.shape}; expected {shape}: rows of engine.state, one for "
            "each environment"
        )
    state = state.reshape(shape)
    for part in layout.state:
        low, high, is_whole = layout.range_of(part)
        cells = state[:, part.start : part.stop]
        wrong = ~np.isfinite(cells) | (cells < low) | (cells > high)
        if is_whole:
            wrong |= cells != np.floor(cells)
        if wrong.any():
            kind = "whole numbers" if is_whole else "numbers"
            span = f"from {low:g} to {high:g}" if np.isfinite(high) else f"of at least {low:g}"
            raise ValueError(
                f"state: {part.name} is {cells[wrong][0]:g}; expected {kind} "
                f"{span if np.isfinite(low) else 'that are finite'}"
            )
    return state


@compiled
def begin_rows(
    plant: Plant, state: Matrix, keys: npt.NDArray[np.uint64], rows: npt.NDArray[np.bool_]
) -> None:
    """Put the plants of the chosen rows, (batch,), at the start of the episodes with these keys."""
    for e in range(rows.size):
        if rows[e]:
            begin(plant, state[e], keys[e])


@compiled
def advance(
    plant: Plant,
    entries: Records,
    table: ActionTable,
    actions: Matrix,
    keys: npt.NDArray[np.uint64],
    split: int,
    scale: float,
    state: Matrix,
    sums: Matrix,
    flows: Row,
    totals: Matrix,
    period: npt.NDArray[np.int64],
    is_new: npt.NDArray[np.bool_],
    tape: Row,
    numbers: Matrix,
    levels: Row,
    observation: npt.NDArray[np.float32],
    reward: Row,
    cost: Row,
    terms: Matrix,
    asked: Matrix,
    granted: Matrix,
    ended: npt.NDArray[np.bool_],
) -> int:
    """Run one period of every plant of a batch; see `Engine` for the shapes.

    Returns -1, or the first row whose action is not finite or not a valid discrete choice; then no
    plant has moved.
    """
    for e in range(state.shape[0]):
        for k in range(actions.shape[1]):
            x = actions[e, k]
            if not np.isfinite(x):
                return e
            if table.is_discrete and (x < 0.0 or x > table.most[k] or x != np.floor(x)):
                return e
    for e in range(state.shape[0]):
        if is_new[e]:
            is_new[e] = False
            reward[e] = cost[e] = 0.0
            terms[e, :] = 0.0
            asked[e, :] = 0.0
            granted[e, :] = 0.0
            ended[e] = False
        else:
            t = period[e]
            decode_row(plant, table, numbers, levels, actions[e], state[e], asked[e])
            read_tape(plant, keys[e], split, t, tape)
            step(plant, state[e], asked[e], tape, flows)
            count_cycles(plant, state[e], flows)
            cost[e] = book(plant, flows, terms[e])
            reward[e] = -cost[e] * scale
            for s in range(plant.sources.size):
                granted[e, s] = flows[plant.sources[s].granted]
            if t >= plant.warm_up:
                totals[e, COST] += totals[e, WEIGHT] * cost[e]
                totals[e, WEIGHT] *= plant.discount
                for f in range(flows.size):
                    sums[e, f] += flows[f]
            period[e] = t + 1
            ended[e] = t + 1 >= plant.periods
        observe_row(entries, state[e], observation[e])
    return -1
