"""What a classic policy declares: its parameters with their textbook sizes, and how it is built.

Lists of values follow the sources from supplier to customer: items upstream first, the sources of
one item in scenario order. Where there is one value, a plain number does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from jitgym import ScenarioError
from jitgym.control import Policy
from jitgym.documents import suggest
from jitgym.plant import Layout
from jitgym.scenario import Scenario
from jitgym.units import is_whole

Array = npt.NDArray[np.float64]
Values = Mapping[str, Array]
"""Parameter -> its values, (of,)."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a policy: a number for each source in `of`."""

    name: str
    unit: str
    of: tuple[str, ...]  # sources from supplier to customer, or ("policy",) for a single number
    textbook: Array  # the textbook's size, (of,)
    high: Array  # a tuner looks no higher, (of,)
    step: Array  # finest difference that a tuner tries, (of,)
    low: float | Array = 0.0  # a tuner looks no lower
    least: float | Array = 0.0  # below this a value makes no sense
    most: float = math.inf  # nor does it above this
    whole: bool = False  # only multiples of `step` make sense
    real: bool = False  # any number does; `step` is only how finely a tuner writes it
    alias: str = ""

    def checked(self, given: object, policy: str) -> Array:
        """Return what a person gave as values, (of,). Raises ScenarioError."""
        values = given.tolist() if isinstance(given, np.ndarray | np.generic) else given
        listed = list(values) if isinstance(values, list | tuple) else [values]
        if len(listed) != len(self.of):
            order = f", from supplier to customer: {', '.join(self.of)}" if len(self.of) > 1 else ""
            count = "1 value" if len(listed) == 1 else f"{len(listed)} values"
            raise ScenarioError(
                f"{policy}: {self.name} has {count}; expected {len(self.of)}{order}"
            )
        least = np.broadcast_to(self.least, len(self.of)).tolist()
        for value, step, low in zip(listed, self.step.tolist(), least, strict=True):
            if fault := self._fault(value, step, low):
                raise ScenarioError(f"{policy}: {self.name} is {value!r}; expected {fault}")
        return np.array(listed, dtype=np.float64)

    def _fault(self, value: object, step: float, least: float) -> str:
        """What a value should have been, or nothing."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return "a number"
        if not math.isfinite(value):
            return "a finite number"
        if value < least:
            return f"at least {least:g}"
        if value > self.most:
            return f"at most {self.most:g}"
        if self.whole and not is_whole(value / step):
            return "a whole number" if step == 1 else f"a multiple of the lot size, {step:g}"
        return ""


@dataclass(frozen=True)
class Classic:
    """A classic policy: where it applies, what its parameters are, how it is built of them."""

    name: str
    why_not: Callable[[Scenario], str]  # in one line why it does not apply; "" where it does
    parameters: Callable[[Scenario], tuple[Parameter, ...]]
    build: Callable[[str, Layout, Values], Policy]  # (name in tables, plant, values)
    holds: tuple[Special, ...] = ()  # simpler policies that it is for some of its values
    base: Callable[[Scenario], Classic] | None = None  # what is tuned in its place
    is_slow: bool = False  # a tuner tries few parameters


@dataclass(frozen=True)
class Special:
    """A policy that another holds as a special case: whoever tunes the other starts there too."""

    classic: Classic
    embed: Callable[[Scenario, Values], Values]  # its values -> those of the other that do the same


def values_of(policy: str, parameters: Sequence[Parameter], given: Mapping[str, Any]) -> Values:
    """Return all values: what is given, else the textbook's. Raises ScenarioError."""
    names = {parameter.name: parameter.name for parameter in parameters}
    names |= {parameter.alias: parameter.name for parameter in parameters if parameter.alias}
    for name in given:
        if name not in names:
            hint = suggest(name, [parameter.name for parameter in parameters])
            raise ScenarioError(f"{policy}: unknown parameter {name!r}; {hint}")
    chosen = {names[name]: value for name, value in given.items()}
    return {
        parameter.name: parameter.checked(chosen[parameter.name], policy)
        if parameter.name in chosen
        else parameter.textbook
        for parameter in parameters
    }


def plain(values: Values) -> dict[str, Any]:
    """Return values as a person would write them: a number where there is one, else a list.

    >>> plain({"quantity": np.array([304.0]), "levels": np.array([2.5, 6.0])})
    {'quantity': 304, 'levels': [2.5, 6]}
    """
    written = {name: [_written(value) for value in array] for name, array in values.items()}
    return {name: each[0] if len(each) == 1 else each for name, each in written.items()}


def _written(value: float) -> float | int:
    rounded = round(float(value), 9)
    return int(rounded) if rounded.is_integer() else rounded
