"""The errors of this package that are a person's to mend: what was written, what was kept."""

from __future__ import annotations


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
