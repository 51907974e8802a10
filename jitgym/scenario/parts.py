"""The parts of a scenario; each part checks itself."""

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
"""Periods of a lead time or a shelf life; each of them is a cell of the plant's state."""

LONGEST_CYCLE = 100_000
"""Periods until the pattern and seasons of a demand repeat; each of them is a row of a table."""

MOST_TABULATED = 4_000_000
"""Values, from 0 on, in the tables of the distributions of all those periods together."""

LONGEST_SEASON = 1_000_000
"""Periods of a season that ends; policies plan for each of them."""

MOST_PERIODS = 100_000_000
"""Periods of an ongoing episode, of a contract or of a project."""

Periods = Annotated[int, Field(ge=1, le=MOST_PERIODS)]


def _in_small_letters(text: object) -> object:
    return text.lower() if isinstance(text, str) else text


Issuing = Annotated[Literal["fifo", "lifo"], BeforeValidator(_in_small_letters)]


class Item(Part):
    """A thing in a place."""

    holding_cost: Nonnegative = 0.0  # per unit and period
    value: Nonnegative | None = None  # per unit
    storage: Nonnegative | None = None  # units; None: unlimited
    initial_stock: Nonnegative = 0.0
    shelf_life: Annotated[int, Field(ge=1, le=MOST_AGES)] | None = (
        None  # periods in which it can be sold; None: unlimited
    )
    issuing: Issuing = "fifo"  # fifo: the oldest unit is sold or consumed first
    obsolescence: Probability = 0.0  # of each unit in stock, per period
    disposal_cost: Nonnegative = 0.0  # per unit that is expired, obsolete or scrapped
    salvage_value: Nonnegative = 0.0  # per unit that is left at the end of a season


class UpDown(Part):
    """Something fails and is repaired, each with a probability per period."""

    fails: Probability
    repaired: Probability

    @property
    def up_share(self) -> float:
        """The long-run share of periods in which it is up: r / (f + r)."""
        return 1.0 if self.fails == 0 else self.repaired / (self.fails + self.repaired)


class Quality(Part):
    """The quality of units that arrive; they are inspected on arrival.

    Every unit is defective with probability `defects`. A process may drift out of control, with
    probability `drifts` per unit, and stays so until the end of the batch that arrives; then the
    probability of a defect is `drifted_defects` (Porteus 1986). Inspection misses a share `escapes`
    of the defects; these enter stock and reach the customer. The defects that it finds are scrap,
    or become the item `by_product`.
    """

    defects: Probability = 0.0
    drifts: Probability = 0.0
    drifted_defects: Probability = 1.0
    escapes: Probability = 0.0
    by_product: str | None = None

    @property
    def found(self) -> float:
        """The share of units that inspection finds defective, without drift."""
        return self.defects * (1.0 - self.escapes)


class Partial(Part):
    """Partial deliveries: only a random share of the units that are due ships, in whole units."""

    share: AnyDistribution
    rest: Literal["cancelled", "later"] = "later"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if isinstance(self.share, Event):
            raise PlacedError("is an event, not a share; expected values from 0 to 1", "share")
        support, _ = self.share.pmf()
        if support[0] < 0 or support[-1] > 1 or support[-1] == 0:
            raise PlacedError("is not a share; expected values from 0 to 1, not all 0", "share")
        return self


class Commitment(Part):
    """A contract to order `quantity` units within `every` periods, or to pay for the shortfall."""

    quantity: Positive
    every: Periods
    shortfall_cost: Positive  # per unit


class Carrier(Part):
    """A truck that several sources share: all that they ship in one period goes together."""

    cost: Nonnegative = 0.0  # per trip
    emissions: Nonnegative = 0.0  # per trip
    capacity: Positive | None = None  # units per trip; None: unlimited


class Source(Part):
    """One way to replenish one item: bought, made or moved."""

    makes: str
    consumes: dict[str, Positive] = Field(default={})  # item -> units per unit made
    at: str | None = None  # work center
    time_per_unit: Nonnegative = 0.0  # of the work center's time
    setup_time: Nonnegative = 0.0
    setup_cost: Nonnegative = 0.0
    setup_scrap: Nonnegative = 0.0  # units spoiled per setup, beside those made; for KPIs only
    lead_time: AnyDistribution = Deterministic(value=0)
    crossover: bool = False  # whether orders may overtake each other
    lot_size: Positive = 1.0
    minimum_order: Nonnegative = 0.0
    maximum_order: Positive | None = None  # None: unlimited
    unit_cost: Nonnegative = 0.0
    paid: Literal["order", "receipt"] = "order"
    shipment_cost: Nonnegative = 0.0  # per period with an order
    in_process_holding_cost: Nonnegative = 0.0  # per unit and period in process
    carrier: str | None = None  # the carrier whose trips it shares
    emissions_per_unit: Nonnegative = 0.0
    emissions_per_shipment: Nonnegative = 0.0
    quality: Quality | None = None
    disruption: UpDown | None = None  # while down, nothing ships
    partial: Partial | None = None
    commitment: Commitment | None = None
    pays_after: Nonnegative = 0.0  # periods until the supplier is paid

    @property
    def good_share(self) -> float:
        """The mean share of the units that arrive that passes inspection, without drift."""
        return 1.0 if self.quality is None else 1.0 - self.quality.found

    @property
    def smallest_order(self) -> float:
        """The minimum order, rounded up to whole lots; at least one lot."""
        return max(1.0, float(whole_up(self.minimum_order / self.lot_size))) * self.lot_size

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.at is None and (self.time_per_unit or self.setup_time):
            raise PlacedError("is missing, but the source takes time; expected a work center", "at")
        if self.setup_scrap and not (self.at and (self.setup_time or self.setup_cost)):
            raise PlacedError(
                f"is {self.setup_scrap:g}, but the source has no setup; expected a work center, "
                "and a setup_time or a setup_cost",
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
        raise PlacedError("is an event, not a lead time; expected periods", "lead_time")
    support, _ = lead_time.pmf()
    if any(value != math.floor(value) for value in support.tolist()):
        raise PlacedError("is not in whole periods; expected integers", "lead_time")
    if support[-1] > MOST_AGES:
        raise PlacedError(
            f"takes up to {support[-1]:g} periods; expected at most {MOST_AGES}", "lead_time"
        )
    if len(support) > 1 and support[0] < 1:
        raise PlacedError("is random and can be 0; expected at least 1 period", "lead_time")
    if not source.crossover and not is_monotone(hazard(lead_time)):
        raise PlacedError(
            "has a hazard P(L = a | L >= a) that decreases, so that orders must overtake each "
            "other; expected a non-decreasing hazard, or crossover: true",
            "lead_time",
        )


class Breakdown(UpDown):
    """A work center fails and is repaired, each with a probability.

    With `per: period`, both are probabilities per period. With `per: unit`, `fails` is the
    probability per unit made.
    """

    per: Literal["period", "unit"] = "period"

    def per_period(self, units: float) -> UpDown:
        """Return the process with probabilities per period in which this many units are made."""
        if self.per == "period":
            return self
        return UpDown(fails=1.0 - (1.0 - self.fails) ** units, repaired=self.repaired)


class Overtime(Part):
    """Extra time with a cost per unit of time; there is none while the center is down."""

    time: Positive
    cost: Nonnegative


class WorkCenter(Part):
    """The time available per period, which the sources at this work center share."""

    time: AnyDistribution
    breakdown: Breakdown | None = None
    overtime: Overtime | None = None


class Smoothing(Part):
    """A causal forecast of recorded demand by exponential smoothing, with this weight.

    exponential-smoothing: F' = F + weight (demand - F). croston: the sizes of demands and the
    intervals between them are smoothed separately, with the correction of Syntetos and Boylan
    (2005). tsb: the sizes and the probability of a demand are smoothed separately (Teunter,
    Syntetos and Babai 2011).
    """

    method: Literal["exponential-smoothing", "croston", "tsb"]
    weight: Annotated[float, Field(gt=0, le=1)] = 0.2


class Revealed(Part):
    """An honest forecast that reveals parts of the latent variance ahead (Heath, Jackson 1994).

    shares[k-1] is the share revealed k periods ahead; the rest is revealed by the demand itself.
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
    """A forecast that uses the future of a recording; its scenario must have the tag `leaks`."""

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
    """Factors of the quantity that last for several periods each, in turn, and then repeat."""

    factors: Annotated[tuple[Nonnegative, ...], Field(strict=False, min_length=1)]
    periods: Periods  # of each factor


class Stream(Part):
    """A stream of requests that is divided between several demands."""

    quantity: DemandDistribution

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not is_latent(self.quantity) and not isinstance(self.quantity, Recorded):
            raise PlacedError(
                "cannot be shared; expected a plain or recorded distribution", "quantity"
            )
        return self


class Project(Part):
    """An improvement: it costs money and, during training, capacity; then it is permanent.

    `improves` maps a dotted path to its new value: a source's setup_time, lead_time, setup_cost,
    shipment_cost, quality.defects or disruption.fails, a work center's breakdown.fails, or a
    carrier's cost.
    """

    cost: Nonnegative
    improves: dict[str, object]
    slows: str | None = None  # work center
    slowed_by: Probability = 0.0  # share of its time that is lost during training
    periods: Periods = 1  # of training


class Demand(Part):
    """A stream of requests for one item, and what happens to those that are not met.

    `pattern` and `seasons` multiply the quantity. Its mean is multiplied exactly; the docstring of
    each distribution says what else changes (a normal and a gamma keep their coefficient of
    variation, a negative binomial keeps its size).
    """

    item: str
    quantity: DemandDistribution  # units per period
    unmet: Unmet
    shortage_cost: Nonnegative = 0.0  # per unit lost, or per unit and period backordered
    price: Nonnegative = 0.0  # per unit served
    pattern: Annotated[tuple[Nonnegative, ...], Field(strict=False)] = ()  # factors of the quantity
    seasons: Seasons | None = None  # longer factors, times the pattern
    abandons: Probability = 0.0  # of each waiting customer, per period
    abandonment_cost: Nonnegative = 0.0  # per unit
    forecast: Forecast | None = None
    pays_after: Nonnegative = 0.0  # periods until the customer pays

    @property
    def cycle(self) -> int:
        """Periods until pattern and seasons repeat; 1 without them."""
        seasons = 1 if self.seasons is None else self.seasons.periods * len(self.seasons.factors)
        return math.lcm(max(1, len(self.pattern)), seasons)

    @property
    def phases(self) -> tuple[Distribution, ...]:
        """The distribution of each period of the cycle; a single one if it does not vary."""
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
        # Equal factors share one distribution and therefore one table.
        known: dict[float, Distribution] = {}
        tabulated = 0.0
        for factor in dict.fromkeys(factors):
            known[factor] = self._scaled(factor)
            tabulated += known[factor].support_max
            if tabulated > MOST_TABULATED:
                raise PlacedError(
                    f"leads to distributions with more than {MOST_TABULATED:,} values together; "
                    "expected fewer different factors, or a smaller demand"
                )
        return tuple(known[factor] for factor in factors)

    @property
    def kinds(self) -> list[Distribution]:
        """The distinct distributions of the phases."""
        return list({id(phase): phase for phase in self.phases}.values())

    def _scaled(self, factor: float) -> Distribution:
        try:
            return scaled(self.quantity, factor)
        except ValidationError as error:
            reason = str(error.errors()[0].get("ctx", {}).get("error", error.errors()[0]["msg"]))
            raise PlacedError(f"of {factor:g}: {reason}") from None

    @cached_property
    def mean(self) -> float:
        """The long-run mean, in units per period."""
        if not self.pattern and self.seasons is None:
            return self.quantity.expectation
        return math.fsum(phase.expectation for phase in self.phases) / len(self.phases)

    @property
    def varies(self) -> bool:
        """Whether its distribution depends on the period through a pattern or seasons."""
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
                f"{self.forecast.method} needs records; expected it with recorded demand only",
                "forecast",
            )
        if isinstance(self.forecast, Revealed) and not is_latent(self.quantity):
            raise PlacedError(
                "cannot reveal this demand ahead; expected a distribution that stays the same "
                "from period to period, without a clock",
                "forecast",
            )
        for name in ("pattern", "seasons"):
            if getattr(self, name) and not is_latent(self.quantity):
                raise PlacedError(
                    "cannot multiply this demand; expected a distribution that stays the same "
                    "from period to period, without a clock",
                    name,
                )
        varied_by = "pattern" if self.pattern else "seasons"
        if self.cycle > LONGEST_CYCLE:
            raise PlacedError(
                f"repeats, with pattern and seasons together, after {self.cycle:,} periods; "
                f"expected at most {LONGEST_CYCLE:,}",
                varied_by,
            )
        try:
            _ = self.phases  # make them here, so that an error names the place
        except PlacedError as error:
            raise PlacedError(
                f"multiplies the quantity with a factor that {error}", varied_by
            ) from None
        if self.abandons and not self.waits:
            raise PlacedError(
                "is given, but no customer waits; expected unmet: backordered", "abandons"
            )
        return self


def is_latent(quantity: object) -> bool:
    """Whether demand is drawn in each period from one distribution, with its own uniform."""
    return not isinstance(quantity, Recorded | Event | Regimes | LifeCycle | PartOf)


TRAINING = 256
"""Most periods of an episode of `train` if the scenario states none. A learner that orders too much
at first fills the plant with stock; in an episode of thousands of periods it would stay there, and
never see the states that a good policy visits. Stock and pipeline are used up within tens of
periods, so that 256 are long enough to see what an order leads to."""


class Horizon(Part):
    """The length of an episode: `ongoing` periods, with warm-up, or a `season` that ends."""

    ongoing: Periods | None = None
    season: Annotated[int, Field(ge=1, le=LONGEST_SEASON)] | None = None
    warm_up: Whole = 0  # first periods, not counted in cost and KPIs
    training: Periods | None = None  # periods of an episode of `train`; see `TRAINING`

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.ongoing is None) == (self.season is None):
            raise PlacedError("expected either ongoing or season, in periods")
        if self.ends and self.warm_up:
            raise PlacedError("is given, but a season has no warm-up; expected 0", "warm_up")
        if self.warm_up >= self.periods:
            raise PlacedError(
                f"is {self.warm_up}; expected less than the {self.periods} periods in all",
                "warm_up",
            )
        if self.ends and self.training is not None:
            raise PlacedError(
                "is given, but a season is always trained whole; expected none", "training"
            )
        return self

    @property
    def periods(self) -> int:
        """Periods of an episode."""
        return self.ongoing or self.season or 0

    def of_split(self, split: str) -> tuple[int, int]:
        """Return the number of periods of an episode of this split, and of its warm-up.

        Evaluation of a slow plant needs long episodes, but learning needs many short ones. So
        episodes of `train` may be shorter, with a warm-up in proportion. By default they are no
        longer than `TRAINING`, if the horizon is ongoing.
        """
        if split != "train" or self.ends:
            return self.periods, self.warm_up
        periods = min(self.training or TRAINING, self.periods)
        return periods, self.warm_up * periods // self.periods

    @property
    def ends(self) -> bool:
        """Whether an episode really ends; an ongoing one is only truncated."""
        return self.season is not None


class Actions(Part):
    """Bounds of the environment's actions; they do not limit sources or classic policies."""

    maximum_order: dict[str, Positive] = Field(default={})  # source -> units
    maximum_level: dict[str, Positive] = Field(default={})  # item -> units


class KnownOptimum(Part):
    """The lowest possible cost, by the scenario's yardstick, for its default parameters."""

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
