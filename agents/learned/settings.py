"""Hyperparameters of a learner, from a YAML file; configs/agents/*.yaml gives a reason for each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from jitgym import ScenarioError
from jitgym.distributions import Part
from jitgym.documents import explain, read_file
from jitgym.evaluate import RunError

Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Width = Annotated[int, Field(ge=1, le=100_000)]
Share = Annotated[float, Field(gt=0, le=1)]

Model = TypeVar("Model", bound=BaseModel)


class Budgeted(Part):
    """What every learner states: the budget if none is asked for."""

    periods: Count  # simulated periods of a training


def read_settings(path: Path, model: type[Model]) -> Model:
    """Read a file of hyperparameters. Raises ScenarioError with file, line and expectation."""
    if not path.is_file():
        raise ScenarioError(f"{path}: no such file; expected a YAML file of hyperparameters")
    document = read_file(path)
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        raise explain(error, model, document) from None


def settings_from(data: dict[str, Any], model: type[Model], file: Path) -> Model:
    """Return stored hyperparameters. Raises RunError if they are not valid."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise RunError(f"{file}: settings {place}: {first['msg']}") from None
