"""The scenario: the document of a plant, checked across its parts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError, model_validator

from jitgym import documents

from . import capacity
from .checks import check
from .model import Written


class Scenario(Written):
    """A plant and how it is judged. It is frozen, and checked across its parts.

    `jitgym.load` reads one and raises ScenarioError for faults; the constructor raises pydantic's
    ValidationError. Two scenarios are equal if their documents are equal.
    """

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check(self)
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scenario) and self.to_yaml() == other.to_yaml()

    def __hash__(self) -> int:
        return hash(self.to_yaml())

    @property
    def cautions(self) -> tuple[str, ...]:
        """What its user should know: which limits are too tight for its demand, in sentences."""
        return capacity.cautions(self)

    @classmethod
    def from_document(cls, data: Mapping[str, Any], name: str = "scenario") -> Scenario:
        """A scenario from plain data; a ScenarioError has `name` in place of the file name."""
        return build(documents.Document(name, documents.tidy(data)), Path())


def build(document: documents.Document, folder: Path) -> Scenario:
    """A scenario from a document whose files lie in a folder; raises ScenarioError."""
    try:
        scenario = Scenario.model_validate(document.data, context={"folder": folder})
    except ValidationError as error:
        raise documents.explain(error, Scenario, document) from None
    scenario._file, scenario._folder = document.name, folder
    return scenario
