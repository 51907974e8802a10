"""The parts of a scenario, each checked by itself."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    PlainSerializer,
    Tag,
    ValidationError,
    model_validator,
)

from jitgym.distributions import (
    AnyDistribution,
    DemandDistribution,
    Deterministic,
    Distribution,
    Event,
    LifeCycle,
    Nonnegative,
    Part,
    PartOf,
    Positive,
    Probability,
    Recorded,
    Regimes,
    Whole,
    hazard,
    is_monotone,
    scaled,
)
from jitgym.errors import PlacedError
from jitgym.units import at_least, whole_up

MOST_AGES = 1000
"""Periods of a lead time or a shelf life: every one of them is a cell of the plant's state."""

LONGEST_CYCLE = 100_000
"""Periods after which pattern and seasons of a demand come again: every one of them is a row."""

MOST_TABULATED = 4_000_000
"""Values, from 0 on, that the distributions of all those periods are tabulated over together."""

LONGEST_SEASON = 1_000_000
"""Periods of a season that ends: policies plan for every one of them."""

MOST_PERIODS = 100_000_000
"""Periods of an ongoing episode, of a contract, of a project."""

Periods = Annotated[int, Field(ge=1, le=MOST_PERIODS)]


def _in_small_letters(text: object) -> object:
    return text.lower() if isinstance(text, str) else text


Issuing = Annotated[Literal["fifo", "lifo"], BeforeValidator(_in_small_letters)]


class Item(Part):
    """A thing in a place."""

    holding_cost: Nonnegative = 0.0  # a unit and period
    value: Nonnegative | None = None  # a unit
    storage: Nonnegative | None = None  # units; None: unlimited
    initial_stock: Nonnegative = 0.0
    shelf_life: Annotated[int, Field(ge=1, le=MOST_AGES)] | None = (
        None  # periods it can be sold; None: for ever
    )
    issuing: Issuing = "fifo"  # which age is sold or consumed first
    obsolescence: Probability = 0.0  # of each unit in stock, a period
    disposal_cost: Nonnegative = 0.0  # a unit expired, obsolete or scrapped
    salvage_value: Nonnegative = 0.0  # a unit left at the end of a season


class UpDown(Part):
    """Something goes down and comes back up, each by chance, a period."""

    fails: Probability
    repaired: Probability


class Quality(Part):
    """How good what arrives is; it is inspected on arrival.

    Every unit is defective with chance `defects`. A process may drift out of control, with chance
    `drifts` a unit, and stays so until the batch that arrives is through; then the chance is
    `drifted_defects` (Porteus 1986). Inspection misses a share `escapes` of the defects: these
    enter stock and reach the customer. What it finds is scrap, or becomes the item `by_product`.
    """

    defects: Probability = 0.0
    drifts: Probability = 0.0
    drifted_defects: Probability = 1.0
    escapes: Probability = 0.0
    by_product: str | None = None


class Partial(Part):
    """Deliveries fall short: a random share of what is due to ship does, in whole units."""

    share: AnyDistribution
    rest: Literal["cancelled", "later"] = "later"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if isinstance(self.share, Event):
            raise PlacedError("an event is no share; expected values from 0 to 1", "share")
        support, _ = self.share.pmf()
        if support[0] < 0 or support[-1] > 1 or support[-1] == 0:
            raise PlacedError("is no share; expected values from 0 to 1, not all 0", "share")
        return self


class Commitment(Part):
    """A contract: at least `quantity` units in every `every` periods, or pay for the shortfall."""

    quantity: Positive
    every: Periods
    shortfall_cost: Positive  # a unit


class Carrier(Part):
    """A truck that several sources share: what they ship in one period goes together."""

    cost: Nonnegative = 0.0  # a trip
    emissions: Nonnegative = 0.0  # a trip
    capacity: Positive | None = None  # units a trip; None: unlimited


class Source(Part):
    """One way to replenish one item: bought, made or moved."""

    makes: str
    consumes: dict[str, Positive] = Field(default={})  # item -> units for one unit made
    at: str | None = None  # work center
    time_per_unit: Nonnegative = 0.0  # of the work center's time
    setup_time: Nonnegative = 0.0
    setup_cost: Nonnegative = 0.0
    setup_scrap: Nonnegative = 0.0  # units spoiled by a setup, beside those made: for KPIs only
    lead_time: AnyDistribution = Deterministic(value=0)
    crossover: bool = False  # whether orders may overtake each other
    lot_size: Positive = 1.0
    minimum_order: Nonnegative = 0.0
    maximum_order: Positive | None = None  # None: unlimited
    unit_cost: Nonnegative = 0.0
    paid: Literal["order", "receipt"] = "order"
    shipment_cost: Nonnegative = 0.0  # a period in which anything is ordered
    in_process_holding_cost: Nonnegative = 0.0  # a unit and period in process
    carrier: str | None = None  # whose trips it shares
    emissions_per_unit: Nonnegative = 0.0
    emissions_per_shipment: Nonnegative = 0.0
    quality: Quality | None = None
    disruption: UpDown | None = None  # while down, nothing ships
    partial: Partial | None = None
    commitment: Commitment | None = None
    pays_after: Nonnegative = 0.0  # periods until the supplier is paid

    @property
    def smallest_order(self) -> float:
        """The minimum order in whole lots, at least one lot."""
        return max(1.0, float(whole_up(self.minimum_order / self.lot_size))) * self.lot_size

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.at is None and (self.time_per_unit or self.setup_time):
            raise PlacedError("takes time but stands at no work center; expected one", "at")
        if self.setup_scrap and not (self.at and (self.setup_time or self.setup_cost)):
            raise PlacedError(
                f"is {self.setup_scrap:g}, but nothing is set up; expected a work center, and a "
                "setup_time or a setup_cost",
                "setup_scrap",
            )
        _check_order_sizes(self)
        _check_lead_time(self)
        return self


def _check_order_sizes(source: Source) -> None:
    most = source.maximum_order
    if most is None:
        return
    for name, least in (("minimum_order", source.minimum_order), ("lot_size", source.lot_size)):
        if not at_least(most, least):
            raise PlacedError(
                f"is {most:g}; expected at least {name}, which is {least:g}", "maximum_order"
            )
    if not at_least(most, source.smallest_order):
        raise PlacedError(
            f"is {most:g}; expected at least {source.smallest_order:g}, the minimum order in whole "
            "lots",
            "maximum_order",
        )


def _check_lead_time(source: Source) -> None:
    lead_time = source.lead_time
    if isinstance(lead_time, Event):
        raise PlacedError("an event is no lead time; expected periods", "lead_time")
    support, _ = lead_time.pmf()
    if any(value != math.floor(value) for value in support.tolist()):
        raise PlacedError("not in whole periods; expected integers", "lead_time")
    if support[-1] > MOST_AGES:
        raise PlacedError(
            f"takes up to {support[-1]:g} periods; expected at most {MOST_AGES}", "lead_time"
        )
    if len(support) > 1 and support[0] < 1:
        raise PlacedError("can be 0; expected at least 1 period where it is random", "lead_time")
    if not source.crossover and not is_monotone(hazard(lead_time)):
        raise PlacedError(
            "its hazard P(L = a | L >= a) decreases, so that orders must overtake each other; "
            "expected a non-decreasing hazard, or crossover: true",
            "lead_time",
        )


class Breakdown(UpDown):
    """A work center goes down and comes back up, each by chance.

    `per` period: the chances are a period's; unit: `fails` is a chance for every unit made.
    """

    per: Literal["period", "unit"] = "period"


class Overtime(Part):
    """Time beyond the regular, paid by the unit of time; none while the center is down."""

    time: Positive
    cost: Nonnegative


class WorkCenter(Part):
    """Time available a period, shared by the sources that stand at it."""

    time: AnyDistribution
    breakdown: Breakdown | None = None
    overtime: Overtime | None = None


class Smoothing(Part):
    """A causal forecast of recorded demand by exponential smoothing, with this weight.

    exponential-smoothing: F' = F + weight (demand - F). croston: sizes and intervals between
    demands smoothed apart, with the correction of Syntetos and Boylan (2005). tsb: sizes and the
    chance of a demand smoothed apart (Teunter, Syntetos and Babai 2011).
    """

    method: Literal["exponential-smoothing", "croston", "tsb"]
    weight: Annotated[float, Field(gt=0, le=1)] = 0.2


class Revealed(Part):
    """An honest forecast: parts of the latent variance are revealed ahead (Heath, Jackson 1994).

    shares[k-1] is the share revealed k periods ahead; what is left shows only with the demand.
    """

    method: Literal["revealed"]
    shares: Annotated[tuple[Probability, ...], Field(strict=False, min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not 0 < math.fsum(self.shares) <= 1 + 1e-12:
            raise PlacedError(
                f"sum to {math.fsum(self.shares):g}; expected more than 0 and at most 1", "shares"
            )
        return self


class Oracle(Part):
    """A forecast that looks into the future of a recording; its scenario bears the tag `leaks`."""

    method: Literal["oracle"]


Forecast = Annotated[Smoothing | Revealed | Oracle, Field(discriminator="method")]


class Shares(Part):
    """A share of unmet demand is backordered, the rest is lost."""

    backordered: Probability


Unmet = Annotated[
    Annotated[Literal["backordered", "lost"], Tag("<word>")] | Annotated[Shares, Tag("<shares>")],
    Discriminator(lambda given: "<shares>" if isinstance(given, dict | Shares) else "<word>"),
]


class Seasons(Part):
    """Factors of the quantity that last for many periods each, one after the other, and again."""

    factors: Annotated[tuple[Nonnegative, ...], Field(strict=False, min_length=1)]
    periods: Periods  # of each


class Stream(Part):
    """A stream of requests that several demands share between them."""

    quantity: DemandDistribution

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not is_latent(self.quantity) and not isinstance(self.quantity, Recorded):
            raise PlacedError("cannot be shared; expected a plain or recorded one", "quantity")
        return self


class Project(Part):
    """An improvement: pay, lose some capacity while people learn, and gain for good.

    `improves` maps a dotted path to its new value: a source's setup_time, lead_time, setup_cost,
    shipment_cost, quality.defects or disruption.fails, a work center's breakdown.fails, or a
    carrier's cost.
    """

    cost: Nonnegative
    improves: dict[str, object]
    slows: str | None = None  # work center
    slowed_by: Probability = 0.0  # share of its time that is lost meanwhile
    periods: Periods = 1  # of training


class Demand(Part):
    """A stream of requests on one item, and what happens to those that are not met.

    `pattern` and `seasons` multiply the quantity: its mean exactly, and what else is multiplied
    stands with each distribution (a normal's standard deviation is; a gamma keeps its coefficient
    of variation, a negative binomial its size).
    """

    item: str
    quantity: DemandDistribution  # units a period
    unmet: Unmet
    shortage_cost: Nonnegative = 0.0  # a unit lost; backordered: a unit and period of waiting
    price: Nonnegative = 0.0  # a unit served
    pattern: Annotated[tuple[Nonnegative, ...], Field(strict=False)] = ()  # factors of the quantity
    seasons: Seasons | None = None  # factors that each last many periods, on top of the pattern
    abandons: Probability = 0.0  # of each waiting customer, a period
    abandonment_cost: Nonnegative = 0.0  # a unit
    forecast: Forecast | None = None
    pays_after: Nonnegative = 0.0  # periods until the customer pays

    @property
    def cycle(self) -> int:
        """Periods after which pattern and seasons come again; 1 without them."""
        seasons = 1 if self.seasons is None else self.seasons.periods * len(self.seasons.factors)
        return math.lcm(max(1, len(self.pattern)), seasons)

    @property
    def phases(self) -> tuple[Distribution, ...]:
        """The distribution of each period of pattern and seasons; without them, a single one."""
        return self._varied if self.varies else (self.quantity,)

    @cached_property
    def _varied(self) -> tuple[Distribution, ...]:
        pattern = self.pattern or (1.0,)
        seasons = self.seasons or Seasons(factors=(1.0,), periods=len(pattern))
        cycle = self.cycle
        factors = [
            pattern[k % len(pattern)] * seasons.factors[k // seasons.periods % len(seasons.factors)]
            for k in range(cycle)
        ]
        # Equal factors share one distribution, and so one table.
        known: dict[float, Distribution] = {}
        tabulated = 0.0
        for factor in dict.fromkeys(factors):
            known[factor] = self._scaled(factor)
            tabulated += known[factor].support_max
            if tabulated > MOST_TABULATED:
                raise PlacedError(
                    f"brings distributions of more than {MOST_TABULATED:,} values together; "
                    "expected fewer different factors, or a smaller demand"
                )
        return tuple(known[factor] for factor in factors)

    @property
    def kinds(self) -> list[Distribution]:
        """The different distributions among the phases."""
        return list({id(phase): phase for phase in self.phases}.values())

    def _scaled(self, factor: float) -> Distribution:
        try:
            return scaled(self.quantity, factor)
        except ValidationError as error:
            reason = str(error.errors()[0].get("ctx", {}).get("error", error.errors()[0]["msg"]))
            raise PlacedError(f"of {factor:g}: {reason}") from None

    @cached_property
    def mean(self) -> float:
        """Mean units a period, in the long run."""
        if not self.pattern and self.seasons is None:
            return self.quantity.expectation
        return math.fsum(phase.expectation for phase in self.phases) / len(self.phases)

    @property
    def varies(self) -> bool:
        """Whether its distribution depends on the period by pattern or season."""
        return bool(self.pattern) or self.seasons is not None

    @property
    def waits(self) -> bool:
        """Whether any unmet demand is backordered."""
        return self.unmet != "lost"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        recorded = isinstance(self.quantity, Recorded)
        if isinstance(self.forecast, Smoothing | Oracle) and not recorded:
            raise PlacedError(
                f"{self.forecast.method} forecasts records; expected it with recorded demand only",
                "forecast",
            )
        if isinstance(self.forecast, Revealed) and not is_latent(self.quantity):
            raise PlacedError(
                "nothing of this demand can be known ahead; expected a distribution that stays "
                "the same from period to period, without a clock",
                "forecast",
            )
        for name in ("pattern", "seasons"):
            if getattr(self, name) and not is_latent(self.quantity):
                raise PlacedError(
                    "scales a mean; expected a distribution that stays the same from period to "
                    "period, without a clock",
                    name,
                )
        varied_by = "pattern" if self.pattern else "seasons"
        if self.cycle > LONGEST_CYCLE:
            raise PlacedError(
                f"pattern and seasons come again after {self.cycle:,} periods; expected at most "
                f"{LONGEST_CYCLE:,}",
                varied_by,
            )
        try:
            _ = self.phases  # refused here, where its place is known
        except PlacedError as error:
            raise PlacedError(f"times the quantity, a factor {error}", varied_by) from None
        if self.abandons and not self.waits:
            raise PlacedError("nobody waits; expected unmet: backordered", "abandons")
        return self


def is_latent(quantity: object) -> bool:
    """Whether demand is drawn each period from one distribution, by a uniform of its own."""
    return not isinstance(quantity, Recorded | Event | Regimes | LifeCycle | PartOf)


class Horizon(Part):
    """How long an episode is: `ongoing` periods, warm-up included, or a `season` that ends."""

    ongoing: Periods | None = None
    season: Annotated[int, Field(ge=1, le=LONGEST_SEASON)] | None = None
    warm_up: Whole = 0  # periods left out of cost and KPIs
    training: Periods | None = None  # periods of an episode of `train`

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.ongoing is None) == (self.season is None):
            raise PlacedError("expected either ongoing or season, in periods")
        if self.ends and self.warm_up:
            raise PlacedError("a season has none; expected 0", "warm_up")
        if self.warm_up >= self.periods:
            raise PlacedError(
                f"is {self.warm_up}; expected less than the {self.periods} periods in all",
                "warm_up",
            )
        if self.ends and self.training is not None:
            raise PlacedError("a season is trained on whole; expected none", "training")
        return self

    @property
    def periods(self) -> int:
        """Periods of an episode."""
        return self.ongoing or self.season or 0

    def of_split(self, split: str) -> tuple[int, int]:
        """Return how many periods an episode of this split has, and how many of them are warm-up.

        A slow plant needs long episodes to be judged, and a learner many short ones: those of
        `train` may be shorter, their warm-up in proportion.
        """
        if split != "train" or self.training is None:
            return self.periods, self.warm_up
        periods = min(self.training, self.periods)
        return periods, self.warm_up * periods // self.periods

    @property
    def ends(self) -> bool:
        """Whether the end of an episode is real; an ongoing one is only cut off."""
        return self.season is not None


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
