"""The parts that build a layout: rows that hand out named cells, and tables of distributions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from jitgym.distributions import Distribution, Recorded
from jitgym.scenario import Scenario

from .records import NONE, REPLAYED, UNIFORM


@dataclass(frozen=True)
class Slice:
    """Named cells of a row."""

    name: str  # "car.stock", "mill.in_process"
    kind: str  # "item", "source", "center", "demand", "forecast", "clock"; "report", "hidden"
    owner: str  # the item, source, center or demand that the cells belong to
    start: int
    size: int
    unit: str

    @property
    def stop(self) -> int:
        """The cell after the last one."""
        return self.start + self.size

    @property
    def what(self) -> str:
        """Its name without the name of the owner."""
        return self.name.removeprefix(f"{self.owner}.")


class Row:
    """Hands out the cells of a row, in order, and remembers their names."""

    def __init__(self) -> None:
        self.slices: list[Slice] = []
        self.width = 0

    def take(self, kind: str, owner: str, what: str, unit: str, size: int = 1) -> int:
        """Return the first of `size` new cells."""
        start = self.width
        self.slices.append(Slice(f"{owner}.{what}", kind, owner, start, size, unit))
        self.width += size
        return start

    def take_fields(self, record: np.void, kind: str, owner: str, fields: dict[str, str]) -> None:
        """Give each of these fields of a record a new cell."""
        for field, unit in fields.items():
            record[field] = self.take(kind, owner, field, unit)


class Tables:
    """Collects the distributions, as step functions of a uniform, and the channels of the tape."""

    def __init__(self) -> None:
        self.records: list[tuple[int, int, int, int, float]] = []
        self.values: list[npt.NDArray[np.float64]] = []
        self.ends: list[npt.NDArray[np.float64]] = []
        self.guides: list[npt.NDArray[np.int32]] = []
        self.channels: list[tuple[str, int, int, int]] = []  # name, kind, recorded, periods ahead
        self.recorded: list[Recorded] = []
        self.numbers: list[float] = []
        self._channel_of: dict[str, int] = {}
        self._values_so_far = self._guides_so_far = 0

    def channel(
        self, name: str, kind: int = UNIFORM, recorded: int = 0, size: int = 1, ahead: int = 0
    ) -> int:
        """Return the first of the `size` tape cells of a channel; one name has one channel."""
        first = self._channel_of.setdefault(name, len(self.channels))
        if first < len(self.channels):
            return first
        self.channels += [
            (f"{name}[{k}]" if k else name, kind, recorded, ahead) for k in range(size)
        ]
        return first

    def channel_ahead(self, name: str, recorded: int, ahead: int) -> int:
        """Return a new tape cell: the value of a replayed channel `ahead` periods later."""
        # The same name gives the same blocks.
        self.channels.append((name, REPLAYED, recorded, ahead))
        return len(self.channels) - 1

    def add(self, distribution: Distribution, name: str) -> int:
        """Return the number of a distribution that is drawn from the channel with this name."""
        values, ends = distribution.steps()
        channel, replayed = NONE, 0
        if isinstance(distribution, Recorded):
            channel, replayed = self.channel(name, REPLAYED, len(self.recorded)), 1
            self.recorded.append(distribution)
        elif values.size > 1:
            clock = getattr(distribution, "clock", None)
            # No name of a part begins with a dot, so a clock never shares its channel with a part.
            channel = self.channel(name if clock is None else f".clock.{clock}")
        return self.add_steps(values, ends, channel, replayed)

    def add_steps(
        self,
        values: npt.NDArray[np.float64],
        ends: npt.NDArray[np.float64],
        channel: int,
        replayed: int = 0,
    ) -> int:
        """Return the number of a step function of a channel's uniform."""
        # The guide says where the search for the step of u begins: ends[guide[floor(u * n)]] is the
        # first end above floor(u * n) / n, so that a draw needs one or two comparisons.
        guides = max(1, 1 << int(np.ceil(np.log2(values.size))) << 1)
        first = self._values_so_far
        guide = np.searchsorted(ends, np.arange(guides) / guides, side="right").astype(np.int32)
        start = self._guides_so_far
        self._values_so_far += values.size
        self._guides_so_far += guide.size
        self.records.append((channel, replayed, first, start, float(guides)))
        self.values.append(values)
        self.ends.append(np.concatenate([ends[:-1], [2.0]]))  # no u lies above the last step
        self.guides.append(guide + np.int32(first))
        return len(self.records) - 1

    def add_numbers(self, numbers: npt.ArrayLike) -> int:
        """Add these numbers and return the row of the first one."""
        first = len(self.numbers)
        self.numbers += np.asarray(numbers, dtype=np.float64).ravel().tolist()
        return first


class Plan:
    """A plant while it is laid out: growing rows, and the number of each thing by name."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.state = Row()
        self.flows = Row()
        self.tables = Tables()
        self.hazards: list[float] = []
        self.initial: dict[int, float] = {}  # cells that do not start at 0
        self.items = _numbers(scenario.items)
        self.sources = _numbers(scenario.sources)
        self.centers = _numbers(scenario.work_centers)
        self.demands = _numbers(scenario.demands)
        self.projects = _numbers(scenario.projects)

    def improved(self, path: str) -> tuple[int, Any]:
        """Return the project that improves a path, and the new value; else (NONE, None)."""
        for name, project in self.scenario.projects.items():
            if path in project.improves:
                return self.projects[name], project.improves[path]
        return NONE, None


def _numbers(names: dict[str, Any]) -> dict[str, int]:
    return {name: k for k, name in enumerate(names)}


def records(dtype: np.dtype[Any], count: int) -> npt.NDArray[Any]:
    """Return an array of empty records."""
    return np.zeros(count, dtype=dtype)
