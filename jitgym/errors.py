"""The errors of this package that are a person's to mend, and a check of plain arguments."""

from __future__ import annotations

import operator
from contextlib import suppress


class ScenarioError(ValueError):
    """Something is wrong with what a person wrote: a scenario, an override, a file of records.

    The message reads ``FILE, line N: PLACE: what is wrong; expected ...``; parts that do not exist
    (an override has no line) are left out.
    """


class RunError(ScenarioError):
    """A file or folder that a run left, or should write to, cannot be used.

    The message names it and says why. Nothing of such a file is used.
    """


class PlacedError(ValueError):
    """A fault found by a check across parts, with the keys that lead to it from where it was found.

    Raised inside validators only: pydantic collects it and `documents` makes a `ScenarioError` of
    it that names the file and the line of the place.
    """

    def __init__(self, text: str, *place: str | int) -> None:
        super().__init__(text)
        self.place = place


def whole_number(what: str, value: object, least: int, most: int | None = None) -> int:
    """Return a whole number that somebody gave, Python's or numpy's.

    Raises ScenarioError where it is none, a truth value included, or outside of its limits.

    >>> whole_number("num_envs", 2.5, least=1)
    Traceback (most recent call last):
    jitgym.errors.ScenarioError: num_envs is 2.5; expected a whole number of at least 1
    """
    with suppress(TypeError):
        number = operator.index(value)  # type: ignore[arg-type]
        if not isinstance(value, bool) and least <= number and (most is None or number <= most):
            return number
    limits = f"of at least {least}" if most is None else f"from {least} to {most}"
    raise ScenarioError(f"{what} is {value!r}; expected a whole number {limits}")
