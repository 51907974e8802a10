"""What a learner is trained with; configs/agents/*.yaml gives each choice its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from jitgym import ScenarioError
from jitgym.distributions import Part, Positive
from jitgym.documents import explain, read_file
from jitgym.envs import Control
from jitgym.errors import PlacedError
from jitgym.scenario import Scenario

Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Width = Annotated[int, Field(ge=1, le=100_000)]
MOST_STEPS = 100_000_000
"""Between two updates; all of them are kept in memory."""

Share = Annotated[float, Field(gt=0, le=1)]


class Validation(Part):
    """How the best of the policies on the way is found."""

    every: Count  # steps of all environments together
    episodes: Count


class Settings(Part):
    """Hyperparameters of PPO (Schulman et al. 2017)."""

    control: Literal["suited", "orders", "orders-discrete", "cards", "base-stock"]
    environments: Count
    periods: Count  # of each environment between two updates
    minibatch: Count  # steps
    epochs: Count  # passes over the steps of an update
    learning_rate: Positive  # at the beginning; falls linearly to 0 with the budget
    discount: Share
    gae_lambda: Share
    clip: Positive  # of the ratio of new to old probability
    entropy_bonus: Annotated[float, Field(ge=0)]
    deviation: Positive  # standard deviation of the first actions, where these are a Box
    layers: list[Width]  # hidden units, of policy and value alike
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
        """What an action is: as stated, or what suits the scenario."""
        return suited(scenario) if self.control == "suited" else self.control


def suited(scenario: Scenario) -> Control:
    """Return the control that is easiest to learn.

    `base-stock` where an item is made of another: what a station should ask for depends on the
    whole line, and levels know that already. `orders-discrete` where an order has a fixed cost: the
    best order is nothing or much, two peaks that a normal distribution has not. Else `orders`.

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
        raise ScenarioError(f"{path}: no such file; expected hyperparameters in YAML")
    document = read_file(path)
    try:
        return Settings.model_validate(document.data)
    except ValidationError as error:
        raise explain(error, Settings, document) from None
