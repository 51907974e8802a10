"""The one error of this package that is the writer's to mend."""

from __future__ import annotations


class ScenarioError(ValueError):
    """Something is wrong with what a person wrote: a scenario, an override, a file of records.

    The message reads ``FILE, line N: PLACE: what is wrong; expected ...``; parts that do not exist
    (an override has no line) are left out.
    """


class PlacedError(ValueError):
    """A fault found by a check across parts, with the keys that lead to it from where it was found.

    Raised inside validators only: pydantic collects it and `documents` makes a `ScenarioError` of
    it that names the file and the line of the place.
    """

    def __init__(self, text: str, *place: str | int) -> None:
        super().__init__(text)
        self.place = place
