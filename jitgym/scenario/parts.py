"""The parts of a scenario, each checked by itself."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from jitgym.distributions import (
    AnyDistribution,
    DemandDistribution,
    Deterministic,
    Event,
    Nonnegative,
    Part,
    Positive,
    Probability,
    Recorded,
    hazard,
    is_monotone,
)
from jitgym.errors import PlacedError

LONGEST_LEAD_TIME = 1000
"""Periods; every one of them is a cell of the plant's state."""


class Item(Part):
    """A thing in a place."""

    holding_cost: Nonnegative = 0.0  # a unit and period
    value: Nonnegative | None = None  # a unit
    storage: Nonnegative | None = None  # units; None: unlimited
    initial_stock: Nonnegative = 0.0


class Source(Part):
    """One way to replenish one item: bought, made or moved."""

    makes: str
    consumes: dict[str, Positive] = Field(default={})  # item -> units for one unit made
    at: str | None = None  # work center
    time_per_unit: Nonnegative = 0.0  # of the work center's time
    setup_time: Nonnegative = 0.0
    setup_cost: Nonnegative = 0.0
    lead_time: AnyDistribution = Deterministic(value=0)
    crossover: bool = False  # whether orders may overtake each other
    lot_size: Positive = 1.0
    minimum_order: Nonnegative = 0.0
    maximum_order: Positive | None = None  # None: unlimited
    unit_cost: Nonnegative = 0.0
    paid: Literal["order", "receipt"] = "order"
    shipment_cost: Nonnegative = 0.0  # a period in which anything is ordered
    in_process_holding_cost: Nonnegative = 0.0  # a unit and period in process

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.at is None and (self.time_per_unit or self.setup_time):
            raise PlacedError("takes time but stands at no work center; expected one", "at")
        _check_order_sizes(self)
        _check_lead_time(self)
        return self


def _check_order_sizes(source: Source) -> None:
    most = source.maximum_order
    if most is None:
        return
    for name, least in (("minimum_order", source.minimum_order), ("lot_size", source.lot_size)):
        if most < least:
            raise PlacedError(
                f"is {most:g}; expected at least {name}, which is {least:g}", "maximum_order"
            )
    lots = math.ceil(source.minimum_order / source.lot_size - 1e-9) * source.lot_size
    if lots > most * (1 + 1e-9):
        raise PlacedError(
            f"is {most:g}; expected at least {lots:g}, the minimum order in whole lots",
            "maximum_order",
        )


def _check_lead_time(source: Source) -> None:
    lead_time = source.lead_time
    if isinstance(lead_time, Event):
        raise PlacedError("an event is no lead time; expected periods", "lead_time")
    support, _ = lead_time.pmf()
    if any(value != math.floor(value) for value in support.tolist()):
        raise PlacedError("not in whole periods; expected integers", "lead_time")
    if support[-1] > LONGEST_LEAD_TIME:
        raise PlacedError(f"is {support[-1]:g}; expected at most {LONGEST_LEAD_TIME}", "lead_time")
    if len(support) > 1 and support[0] < 1:
        raise PlacedError("can be 0; expected at least 1 period where it is random", "lead_time")
    if not source.crossover and not is_monotone(hazard(lead_time)):
        raise PlacedError(
            "its hazard P(L = a | L >= a) decreases, so that orders must overtake each other; "
            "expected a non-decreasing hazard, or crossover: true",
            "lead_time",
        )


class Breakdown(Part):
    """A work center goes down and comes back up, each by chance.

    `per` period: the chances are a period's; unit: `fails` is a chance for every unit made.
    """

    fails: Probability
    repaired: Probability
    per: Literal["period", "unit"] = "period"


class WorkCenter(Part):
    """Time available a period, shared by the sources that stand at it."""

    time: AnyDistribution
    breakdown: Breakdown | None = None


class Forecast(Part):
    """A causal forecast of recorded demand: F' = F + weight (demand - F)."""

    method: Literal["exponential-smoothing"]
    weight: Annotated[float, Field(gt=0, le=1)] = 0.2


class Demand(Part):
    """A stream of requests on one item, and what happens to those that are not met."""

    item: str
    quantity: DemandDistribution  # units a period
    unmet: Literal["backordered", "lost"]
    shortage_cost: Nonnegative = 0.0  # a unit lost; backordered: a unit and period of waiting
    price: Nonnegative = 0.0  # a unit served
    forecast: Forecast | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.forecast and not isinstance(self.quantity, Recorded):
            raise PlacedError("smooths records; expected it with recorded demand only", "forecast")
        return self


class Horizon(Part):
    """How long an episode is: `ongoing` counts all of its periods, warm-up included."""

    ongoing: Annotated[int, Field(ge=1)]
    warm_up: Annotated[int, Field(ge=0)] = 0  # periods left out of cost and KPIs

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.warm_up >= self.ongoing:
            raise PlacedError(
                f"is {self.warm_up}; expected less than the {self.ongoing} periods in all",
                "warm_up",
            )
        return self

    @property
    def periods(self) -> int:
        """Periods of an episode."""
        return self.ongoing

    @property
    def ends(self) -> bool:
        """Whether the end of an episode is real; an ongoing one is only cut off."""
        return False


class Actions(Part):
    """Bounds of the environment's actions; no source and no policy is held to them."""

    maximum_order: dict[str, Positive] = Field(default={})  # source -> units
    maximum_level: dict[str, Positive] = Field(default={})  # item -> units


class KnownOptimum(Part):
    """The best cost possible, by the scenario's yardstick and for its default parameters."""

    cost: float
    source: str


def _listed(paths: object) -> object:
    return (paths,) if isinstance(paths, str) else paths


def _unlisted(paths: tuple[str, ...]) -> str | list[str]:
    return paths[0] if len(paths) == 1 else list(paths)


Paths = Annotated[
    tuple[str, ...],
    Field(min_length=1, strict=False),
    BeforeValidator(_listed),
    PlainSerializer(_unlisted),
]
"""One or more dotted paths into a scenario."""
