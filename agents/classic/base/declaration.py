"""How a classic policy is declared: its parameters, their textbook sizes, and how it is built.

Lists of values follow the sources from supplier to customer: items upstream first, the sources of
one item in scenario order. A single value may be given as a plain number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from jitgym import ScenarioError
from jitgym.control import Policy, Rule, RulePolicy
from jitgym.documents import suggest
from jitgym.plant import Layout
from jitgym.scenario import Scenario
from jitgym.units import is_whole

Array = npt.NDArray[np.float64]
Values = Mapping[str, Array]
"""Name of a parameter -> its values, (of,)."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a policy, with a number for each source in `of`; see `parameter`."""

    name: str
    unit: str
    of: tuple[str, ...]  # sources from supplier to customer, or ("policy",) for a single number
    textbook: Array  # its textbook size, (of,)
    high: Array  # a tuner tries nothing higher, (of,)
    step: Array  # the smallest difference that a tuner tries, (of,)
    low: Array  # a tuner tries nothing lower, (of,)
    least: Array  # a value below this is not valid, (of,)
    most: float = math.inf  # a value above this is not valid
    whole: bool = False  # only multiples of `step` are valid
    real: bool = False  # every number is valid; a tuner rounds it to `step`
    alias: str = ""

    def resized(self, textbook: npt.ArrayLike, high: npt.ArrayLike = 0.0, **changes: Any) -> Self:
        """Return this parameter with another textbook size, which its search bounds include."""
        size = np.asarray(textbook, dtype=np.float64)
        most = np.maximum(np.maximum(self.high, high), size)
        return replace(self, textbook=size, high=most, low=np.minimum(self.low, size), **changes)

    def checked(self, given: object, policy: str) -> Array:
        """Return given values as an array, (of,). Raises ScenarioError if they are not valid."""
        values = given.tolist() if isinstance(given, np.ndarray | np.generic) else given
        listed = list(values) if isinstance(values, list | tuple) else [values]
        if len(listed) != len(self.of):
            order = f", from supplier to customer: {', '.join(self.of)}" if len(self.of) > 1 else ""
            count = "1 value" if len(listed) == 1 else f"{len(listed)} values"
            raise ScenarioError(
                f"{policy}: {self.name} has {count}; expected {len(self.of)}{order}"
            )
        for value, step, low in zip(listed, self.step.tolist(), self.least.tolist(), strict=True):
            if fault := self._fault(value, step, low):
                raise ScenarioError(f"{policy}: {self.name} is {value!r}; expected {fault}")
        return np.array(listed, dtype=np.float64)

    def _fault(self, value: object, step: float, least: float) -> str:
        """Return what was expected instead of a value; "" if the value is valid."""
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


def parameter(
    name: str,
    unit: str,
    textbook: npt.ArrayLike,
    *,
    of: Iterable[str] = ("policy",),
    high: npt.ArrayLike = 0.0,
    step: npt.ArrayLike = 1.0,
    low: npt.ArrayLike = 0.0,
    least: npt.ArrayLike | None = None,
    **kind: Any,
) -> Parameter:
    """Return a parameter; each number is given once for all sources, or once per source.

    The search reaches at least the textbook size. The default of `least` is `low`; if `low` is
    negative, every number is valid.

    >>> parameter("safety", "standard deviations", 1.64, of=("mill", "press"), high=1, low=-2).high
    array([1.64, 1.64])
    """
    of = tuple(of)

    def listed(numbers: npt.ArrayLike) -> Array:
        return np.broadcast_to(np.asarray(numbers, dtype=np.float64), len(of)).copy()

    size, lows = listed(textbook), listed(low)
    leasts = np.where(lows < 0, -math.inf, lows) if least is None else listed(least)
    most = np.maximum(listed(high), size)
    return Parameter(name, unit, of, size, most, listed(step), lows, leasts, **kind)


@dataclass(frozen=True)
class Classic:
    """A classic policy: where it applies, its parameters, and how it is built from them."""

    name: str
    why_not: Callable[[Scenario], str]  # in one line why it does not apply; "" if it does
    parameters: Callable[[Scenario], tuple[Parameter, ...]]
    build: Callable[[str, Layout, Values], Policy]  # (name in tables, plant, values)
    holds: tuple[Special, ...] = ()  # simpler policies that it equals for some values
    base: Callable[[Scenario], Classic] | None = None  # the policy that is tuned instead
    is_slow: bool = False  # a tuner tries few candidates


@dataclass(frozen=True)
class Special:
    """A policy that is a special case of another; the tuner of the other also starts there."""

    classic: Classic
    embed: Callable[[Scenario, Values], Values]  # its values -> equivalent values of the other


def ruled(rule: Callable[[Layout, Values], Rule]) -> Callable[[str, Layout, Values], Policy]:
    """Return the function that builds a policy from the pull rule of its values."""

    def build(name: str, layout: Layout, values: Values) -> Policy:
        return RulePolicy(name, layout, rule(layout, values), plain(values))

    return build


def values_of(policy: str, parameters: Sequence[Parameter], given: Mapping[str, Any]) -> Values:
    """Return all values: those given, else the textbook sizes. Raises ScenarioError."""
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
    """Return values as a person writes them: one value as a number, several as a list.

    >>> plain({"quantity": np.array([304.0]), "levels": np.array([2.5, 6.0])})
    {'quantity': 304, 'levels': [2.5, 6]}
    """
    written = {name: [_written(value) for value in array] for name, array in values.items()}
    return {name: each[0] if len(each) == 1 else each for name, each in written.items()}


def _written(value: float) -> float | int:
    rounded = round(float(value), 9)
    return int(rounded) if rounded.is_integer() else rounded
