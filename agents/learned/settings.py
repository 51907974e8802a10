"""The settings of a learner; configs/agents/*.yaml gives the reason for each choice."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from jitgym import ScenarioError
from jitgym.control.encodings import Control
from jitgym.distributions import Part, Positive
from jitgym.documents import explain, read_file
from jitgym.errors import PlacedError
from jitgym.scenario import Scenario

Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Width = Annotated[int, Field(ge=1, le=100_000)]
MOST_STEPS = 100_000_000
"""Largest number of steps between two updates, because all of them are kept in memory."""

Share = Annotated[float, Field(gt=0, le=1)]


class Validation(Part):
    """How the best policy of a training is found."""

    every: Count  # steps of all environments together
    episodes: Count


class Settings(Part):
    """Hyperparameters of PPO (Schulman et al. 2017)."""

    control: Literal["suited", "corrections", "orders", "orders-discrete", "cards", "base-stock"]
    environments: Count
    periods: Count  # of each environment between two updates
    minibatch: Count  # steps
    epochs: Count  # passes over the steps of an update
    learning_rate: Positive  # at the start; it falls linearly to 0 over the budget
    discount: Share
    gae_lambda: Share
    clip: Positive  # bound of the ratio of new to old probability
    entropy_bonus: Annotated[float, Field(ge=0)]
    deviation: Positive  # standard deviation of the first actions, if the space is a Box
    layers: list[Width]  # hidden units, for both policy and value
    validation: Validation

    @model_validator(mode="after")
    def _minibatches_are_whole(self) -> Self:
        steps = self.environments * self.periods
        if steps > MOST_STEPS:
            raise PlacedError(
                f"times periods is {steps:,}; expected at most {MOST_STEPS:,}", "environments"
            )
        if self.minibatch < 2 or steps % self.minibatch:
            raise PlacedError(
                f"is {self.minibatch}; expected a divisor of environments x periods, {steps}",
                "minibatch",
            )
        return self

    def control_for(self, scenario: Scenario) -> Control:
        """The control that is stated, or the one that suits the scenario."""
        return suited(scenario) if self.control == "suited" else self.control


def suited(scenario: Scenario) -> Control:
    """Return the control that is easiest to learn.

    It is `base-stock` if an item is made of another one: a station's best order depends on the
    whole line, which levels take into account. It is `orders-discrete` if an order has a fixed
    cost: the best order is then nothing or a lot, and a normal distribution has only one peak.
    Otherwise it is `orders`.

    >>> from jitgym.catalog import load
    >>> [suited(load(name)) for name in ("kanban-line", "recorded-retail", "lost-sales")]
    ['base-stock', 'orders-discrete', 'orders']
    """
    sources = scenario.sources.values()
    if any(source.consumes for source in sources):
        return "base-stock"
    return "orders-discrete" if any(source.shipment_cost for source in sources) else "orders"


def read_settings(path: Path) -> Settings:
    """Read a file of hyperparameters. Raises ScenarioError with file, line and expectation."""
    if not path.is_file():
        raise ScenarioError(f"{path}: no such file; expected a YAML file of hyperparameters")
    document = read_file(path)
    try:
        return Settings.model_validate(document.data)
    except ValidationError as error:
        raise explain(error, Settings, document) from None
