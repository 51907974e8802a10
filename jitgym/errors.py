"""The errors that a user of this package can correct, and a check of plain arguments."""

from __future__ import annotations

import operator
from contextlib import suppress


class ScenarioError(ValueError):
    """There is a fault in what a user wrote: a scenario, an override or a file of records.

    The message reads ``FILE, line N: PLACE: what is wrong; expected ...``; parts that do not exist
    (an override has no line) are left out.
    """


class RunError(ScenarioError):
    """A file or folder of a run cannot be read or written.

    The message names it and says why. No part of such a file is used.
    """


class PlacedError(ValueError):
    """A fault found by a check across parts, with the keys that lead from the part to the fault.

    Only validators raise it. Pydantic collects it, and `documents` turns it into a `ScenarioError`
    that names the file and the line of the place.
    """

    def __init__(self, text: str, *place: str | int) -> None:
        super().__init__(text)
        self.place = place


def whole_number(what: str, value: object, least: int, most: int | None = None) -> int:
    """Return an argument that must be a whole number, of Python or of numpy.

    Raises ScenarioError if it is not (True and False are not), or is outside of its limits.

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
