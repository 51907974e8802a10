"""Hyperparameters of a learner, from a YAML file; configs/agents/*.yaml gives a reason for each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from jitgym.distributions import Part
from jitgym.documents import read_as
from jitgym.evaluate import RunError
from jitgym.scenario import Scenario

Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Width = Annotated[int, Field(ge=1, le=100_000)]
Share = Annotated[float, Field(gt=0, le=1)]

FEW_SOURCES = 4
MOST_WORK = 160_000_000  # periods x sources of a training with more sources

Model = TypeVar("Model", bound=BaseModel)


class Budgeted(Part):
    """What every learner states: the budget if none is asked for."""

    periods: Count  # simulated periods of a training, for a plant with few sources

    def periods_for(self, scenario: Scenario) -> int:
        """Return the budget if none is asked for: 2.5 times as much for more than four sources.

        For many sources it is less again, because each period then takes longer.
        """
        sources = len(scenario.sources)
        if sources <= FEW_SOURCES:
            return self.periods
        return min(5 * self.periods // 2, MOST_WORK // sources)


def read_settings(path: Path, model: type[Model]) -> Model:
    """Read a file of hyperparameters. Raises ScenarioError with file, line and expectation."""
    return read_as(path, model, "a YAML file of hyperparameters")


def settings_from(data: dict[str, Any], model: type[Model], file: Path) -> Model:
    """Return stored hyperparameters. Raises RunError if they are not valid."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise RunError(f"{file}: settings {place}: {first['msg']}") from None
