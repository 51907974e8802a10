"""Plants for tests: small ones to work out by hand, and random valid ones for hypothesis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

import jitgym
from jitgym.envs import ActionEncoding, Engine
from jitgym.plant import Layout, lay_out
from jitgym.scenario import Scenario

NOBODY = {"item": "product", "quantity": 0, "unmet": "lost"}
"""A demand that never comes."""

MADE_OF_MATERIAL: dict[str, Any] = {
    "items": {"material": {}, "product": {}},
    "sources": {
        "supplier": {"makes": "material"},
        "making": {"makes": "product", "consumes": {"material": 1}},
    },
}
"""Items and sources: a product that is made of a material that is bought."""


def plant(
    items: dict[str, Any] | None = None,
    sources: dict[str, Any] | None = None,
    demands: dict[str, Any] | None = None,
    **sections: Any,
) -> Scenario:
    """Return a scenario of these sections; by default one product, a supplier and no demand."""
    document = {
        "name": "test",
        "period": "one period",
        "horizon": {"ongoing": 100},
        "items": items or {"product": {}},
        "sources": sources or {"supplier": {"makes": "product"}},
        "demands": {"nobody": NOBODY} if demands is None else demands,
    }
    return Scenario.from_document(document | sections)


def brief(name: str, periods: int, **given: Any) -> Scenario:
    """Return a scenario of the catalog with a short horizon, a quarter of it as warm-up."""
    horizon = {"horizon.ongoing": periods, "horizon.warm_up": periods // 4}
    return jitgym.load(name, **horizon, **given)


class Probe:
    """One plant, period by period: ask by name, read flows and stock by name."""

    def __init__(
        self, scenario: Scenario, seed: int = 0, split: str = "train", episode: int = 0
    ) -> None:
        self.scenario = scenario
        self.layout: Layout = lay_out(scenario)
        self.engine = Engine(self.layout, 1, ActionEncoding(self.layout, "asked"))
        self.engine.split = split
        self.engine.seed[0], self.engine.episode[0] = seed, episode
        self.engine.place(np.ones(1, dtype=np.bool_))
        self._cells = {part.name: slice(part.start, part.stop) for part in self.layout.state}
        self._flows = {part.name: part.start for part in self.layout.flows}

    def step(
        self,
        *,
        priorities: dict[str, float] | None = None,
        begin: tuple[str, ...] = (),
        **asked: float,
    ) -> dict[str, float]:
        """Ask for these quantities (of other sources nothing), run a period, return its flows."""
        row = [asked.get(name, 0.0) for name in self.scenario.sources]
        row += [(priorities or {}).get(name, 0.0) for name in self.scenario.sources]
        row += [float(name in begin) for name in self.scenario.projects]
        return self.step_row(np.array(row))

    def step_row(self, asked: np.ndarray) -> dict[str, float]:
        """Ask for quantities, priorities and projects, (asked cells,); run a period."""
        self.engine.step(asked[np.newaxis].astype(np.float64))
        return self.flows()

    def flows(self) -> dict[str, float]:
        """Return all flows of the last period."""
        row = self.engine.flows.tolist()
        return {name: row[cell] for name, cell in self._flows.items()}

    def state(self) -> dict[str, list[float]]:
        """Return the cells of the present state, by name."""
        row = self.engine.state[0]
        return {name: row[cells].tolist() for name, cells in self._cells.items()}

    def __getitem__(self, name: str) -> float:
        """Return the total of the state's cells with this name; 0 where the plant has none."""
        cells = self._cells.get(name)
        return 0.0 if cells is None else float(self.engine.state[0, cells].sum())


# --- random scenarios ---------------------------------------------------------------------------

# Quantities that strain rounding: thirds and tenths beside whole numbers.
QUANTITIES = st.sampled_from([1, 1, 2, 3, 0.5, 0.1, 0.3])
LOTS = st.sampled_from([1, 1, 1, 2, 4, 12, 0.5, 0.1, 0.3])
COSTS = st.sampled_from([0, 1, 2.5, 10])

FIXED_LEAD_TIMES = st.sampled_from([0, 0, 1, 2, 5])
ORDERLY_LEAD_TIMES = st.sampled_from(
    [
        {"distribution": "uniform", "low": 1, "high": 4},
        {"distribution": "finite", "values": [2, 3, 4], "probabilities": [0.5, 0.3, 0.2]},
        {"distribution": "finite", "values": [1, 2, 6], "probabilities": [0.0, 0.0, 1.0]},
        {"distribution": "finite", "values": [4, 5], "probabilities": [0.1, 0.9]},
    ]
)
ANY_LEAD_TIMES = st.one_of(
    FIXED_LEAD_TIMES,
    ORDERLY_LEAD_TIMES,
    st.just({"distribution": "finite", "values": [1, 2, 5], "probabilities": [0.6, 0.1, 0.3]}),
)
EVENTS = st.sampled_from([0.3, 1, 2]).map(
    lambda rate: {"distribution": "event", "rate": rate, "clock": "machines"}
)
TIMES = st.one_of(
    st.sampled_from([0, 5, 13.5, 40, 1e6]),
    st.just({"distribution": "binomial", "trials": 20, "probability": 0.7}),
    st.just({"distribution": "gamma", "mean": 15, "cv": 0.8}),
    EVENTS,
)
DEMANDED = st.one_of(
    st.sampled_from([0, 2.5, 7]),
    st.just({"distribution": "poisson", "mean": 6}),
    st.just({"distribution": "geometric", "mean": 4}),
    st.just({"distribution": "negative-binomial", "mean": 5, "size": 1.5}),
    st.just({"distribution": "normal", "mean": 8, "standard_deviation": 5}),
    EVENTS,
)
STRANGE = (0.0, -1.0, 1e-12, 0.99999, 1e6, 3e9)


@st.composite
def scenarios(draw: st.DrawFn, *, periods: int = 25) -> Scenario:
    """Return a valid scenario of up to five items, with anything that a part may have."""
    items = [f"item_{k}" for k in range(draw(st.integers(1, 5)))]
    centers = [f"center_{k}" for k in range(draw(st.integers(0, 2)))]
    sources: dict[str, Any] = {}
    for k, item in enumerate(items):
        # A material may have no source at all: what is there at first, is all there is.
        fewest = 0 if k + 1 < len(items) else 1
        for n in range(draw(st.sampled_from([fewest, 1, 1, 2]))):
            sources[f"source_{k}{'abc'[n]}"] = draw(_sources(item, items[:k], centers))
    made = [item for item in items if any(s["makes"] == item for s in sources.values())]
    demands = {
        f"demand_{k}": {
            "item": draw(st.sampled_from(made)),
            "quantity": draw(DEMANDED),
            "unmet": draw(st.sampled_from(["backordered", "lost"])),
            "shortage_cost": draw(COSTS),
            "price": draw(COSTS),
        }
        for k in range(draw(st.integers(1, 3)))
    }
    for demand in demands.values():
        draw(_features_of_a_demand(demand))
    streams = draw(_streams(made, demands))
    carriers = {
        "truck": {"cost": draw(COSTS), "emissions": 3, "capacity": draw(st.sampled_from([2.5, 8]))},
        "ship": {"cost": draw(COSTS), "emissions": 1},
    }
    for source in sources.values():
        draw(_features_of_a_source(source, items, [*carriers]))
    work_centers = {name: draw(_centers()) for name in centers}
    projects = draw(_projects(sources, work_centers, carriers))
    horizon: dict[str, int] = {
        "ongoing": periods,
        "warm_up": draw(st.sampled_from([0, periods // 3])),
    }
    if draw(st.integers(0, 3)) == 0:
        horizon = {"season": periods}
    return plant(
        items={item: draw(_items(smallest_order(item, sources))) for item in items},
        work_centers=work_centers,
        sources=sources,
        demands=demands,
        streams=streams,
        carriers=carriers,
        projects=projects,
        horizon=horizon,
        periods_per_year=52,
        within=draw(st.sampled_from([[], [0, 2, 10]])),
        emission_price=draw(st.sampled_from([0, 0.5])),
    )


MAYBE = st.integers(0, 3).map(lambda k: k == 0)
CHANCES = st.sampled_from([0, 0.1, 0.5, 1])
REGIMES = {
    "distribution": "regimes",
    "regimes": {
        "calm": {"distribution": "poisson", "mean": 2},
        "steady": 5,
        "wave": {"distribution": "geometric", "mean": 9},
    },
    "stay": {"calm": 0.9, "steady": 0.5, "wave": 0.7},
}
ODD_DEMANDS = st.sampled_from(
    [
        REGIMES,
        REGIMES | {"seen": False},
        {"distribution": "intermittent", "probability": 0.3, "quantity": 7},
        {
            "distribution": "life-cycle",
            "mean": 60,
            "standard_deviation_of_level": 30,
            "shares": [0.1, 0.3, 0.4, 0.2],
            "first": 3,
        },
    ]
)


@st.composite
def _features_of_a_demand(draw: st.DrawFn, demand: dict[str, Any]) -> None:
    """Add what a demand may have besides; what goes with what follows from its quantity."""
    if draw(MAYBE):
        demand["quantity"] = draw(ODD_DEMANDS)
    quantity = demand["quantity"]
    named = quantity.get("distribution", "") if isinstance(quantity, dict) else "deterministic"
    if demand["unmet"] == "backordered":
        if draw(MAYBE):
            demand["unmet"] = {"backordered": draw(CHANCES)}
        if draw(st.booleans()):
            demand["abandons"], demand["abandonment_cost"] = draw(CHANCES), draw(COSTS)
    if named in ("deterministic", "poisson", "geometric", "negative-binomial", "normal"):
        kind = draw(st.sampled_from(["", "", "pattern", "seasons", "forecast"]))
        if kind == "pattern":
            demand["pattern"] = draw(st.sampled_from([[1, 0, 2], [0.5, 1.5]]))
        if kind == "seasons":
            demand["seasons"] = {"factors": [1, 0.5, 2], "periods": 4}
        if kind == "forecast":
            shares = draw(st.sampled_from([[1.0], [0.3, 0.4], [0, 0, 0.5]]))
            demand["forecast"] = {"method": "revealed", "shares": shares}
    demand["pays_after"] = draw(st.sampled_from([0, 3]))


@st.composite
def _streams(draw: st.DrawFn, made: list[str], demands: dict[str, Any]) -> dict[str, Any]:
    """Return a stream or none, and add the demands that share it."""
    if not draw(MAYBE):
        return {}
    for k, share in enumerate(draw(st.sampled_from([[0.7, 0.3], [0.5, 0.2, 0.1], [1.0]]))):
        demands[f"part_{k}"] = {
            "item": draw(st.sampled_from(made)),
            "quantity": {"distribution": "part-of", "stream": "whole", "share": share},
            "unmet": draw(st.sampled_from(["backordered", "lost"])),
            "shortage_cost": 2,
        }
    return {
        "whole": {"quantity": draw(st.sampled_from([12, {"distribution": "poisson", "mean": 9}]))}
    }


@st.composite
def _features_of_a_source(
    draw: st.DrawFn, source: dict[str, Any], items: list[str], carriers: list[str]
) -> None:
    """Add what a source may have besides."""
    if draw(MAYBE):
        source["quality"] = {
            "defects": draw(CHANCES),
            "drifts": draw(CHANCES),
            "drifted_defects": draw(CHANCES),
            "escapes": draw(CHANCES),
        }
        if draw(st.booleans()):
            source["quality"]["by_product"] = draw(st.sampled_from(items))
    if draw(MAYBE):
        source["disruption"] = {"fails": 0.2, "repaired": draw(st.sampled_from([0.4, 1]))}
    if draw(MAYBE):
        share = {"distribution": "finite", "values": [0, 0.5, 1], "probabilities": [0.2, 0.5, 0.3]}
        rest = draw(st.sampled_from(["later", "cancelled"]))
        source["partial"] = {"share": draw(st.sampled_from([share, 0.6])), "rest": rest}
    if draw(MAYBE):
        source["carrier"] = draw(st.sampled_from(carriers))
    if draw(MAYBE):
        source["commitment"] = {"quantity": 30, "every": 4, "shortfall_cost": 2}
    source["pays_after"] = draw(st.sampled_from([0, 2]))
    source["emissions_per_unit"] = draw(st.sampled_from([0, 0.2]))
    source["emissions_per_shipment"] = draw(st.sampled_from([0, 5]))


@st.composite
def _projects(
    draw: st.DrawFn, sources: dict[str, Any], centers: dict[str, Any], carriers: dict[str, Any]
) -> dict[str, Any]:
    """Return projects that improve what there is to improve."""
    ways: list[tuple[str, float]] = []
    for name, source in sources.items():
        for field in ("setup_time", "setup_cost", "shipment_cost"):
            ways += [(f"sources.{name}.{field}", 0.25 * source.get(field, 0))]
        if source["lead_time"] in (2, 5):
            ways += [(f"sources.{name}.lead_time", 1)]
        if "disruption" in source:
            ways += [(f"sources.{name}.disruption.fails", 0.05)]
        if source.get("quality", {}).get("defects", 0) > 0:
            ways += [(f"sources.{name}.quality.defects", 0)]
    for name, center in centers.items():
        if center.get("breakdown", {}).get("fails", 0) > 0:
            ways += [(f"work_centers.{name}.breakdown.fails", 0.01)]
    ways += [(f"carriers.{name}.cost", 0.5 * about["cost"]) for name, about in carriers.items()]
    ways = [(path, after) for path, after in ways if after > 0 or path.endswith("defects")]
    projects = {}
    if ways and draw(st.booleans()):
        chosen = draw(st.lists(st.sampled_from(ways), min_size=1, max_size=3, unique=True))
        for k, (path, after) in enumerate(chosen):
            project = {"cost": draw(COSTS), "improves": {path: after}, "periods": 3}
            if centers and draw(st.booleans()):
                project |= {"slows": draw(st.sampled_from([*centers])), "slowed_by": 0.4}
            projects[f"project_{k}"] = project
    return projects


def smallest_order(item: str, sources: dict[str, Any]) -> float:
    """The largest minimum order in whole lots of an item's sources: no storage may be below it."""
    least = [
        max(1, math.ceil(source["minimum_order"] / source["lot_size"] - 1e-9)) * source["lot_size"]
        for source in sources.values()
        if source["makes"] == item
    ]
    return max(least, default=0)


@st.composite
def _items(draw: st.DrawFn, least: float) -> dict[str, Any]:
    item: dict[str, Any] = {
        "holding_cost": draw(COSTS),
        "initial_stock": draw(st.sampled_from([0, 0, 3, 20, 7.5, 0.3])),
    }
    if draw(st.booleans()):
        item["storage"] = least + draw(st.sampled_from([0, 4, 10, 25.5]))
    if draw(MAYBE):
        item["shelf_life"] = draw(st.sampled_from([1, 2, 4]))
        item["issuing"] = draw(st.sampled_from(["fifo", "lifo"]))
    if draw(MAYBE):
        item["obsolescence"] = draw(CHANCES)
    if draw(st.booleans()):
        item["value"] = draw(st.sampled_from([2, 7.5]))
    item["disposal_cost"] = draw(COSTS)
    item["salvage_value"] = draw(COSTS)
    return item


@st.composite
def _sources(draw: st.DrawFn, item: str, upstream: list[str], centers: list[str]) -> dict[str, Any]:
    lot, least = draw(LOTS), draw(st.sampled_from([0, 0, 3, 10, 0.9]))
    crossover = draw(st.booleans())
    source: dict[str, Any] = {
        "makes": item,
        "lot_size": lot,
        "minimum_order": least,
        "lead_time": draw(
            ANY_LEAD_TIMES if crossover else st.one_of(FIXED_LEAD_TIMES, ORDERLY_LEAD_TIMES)
        ),
        "crossover": crossover,
        "unit_cost": draw(COSTS),
        "paid": draw(st.sampled_from(["order", "receipt"])),
        "shipment_cost": draw(COSTS),
        "in_process_holding_cost": draw(COSTS),
    }
    if draw(st.booleans()):
        lots = max(1, math.ceil(least / lot - 1e-9))
        source["maximum_order"] = lots * lot + draw(st.sampled_from([0, 5, 20]))
    if upstream:
        materials = draw(st.lists(st.sampled_from(upstream), max_size=3, unique=True))
        source["consumes"] = {material: draw(QUANTITIES) for material in materials}
    if centers and draw(st.booleans()):
        source["at"] = draw(st.sampled_from(centers))
        source["time_per_unit"] = draw(st.sampled_from([0, 0.1, 1, 1, 1.5, 3]))
        source["setup_time"] = draw(st.sampled_from([0, 0, 2, 8, 30]))
        source["setup_cost"] = draw(COSTS)
        if source["setup_time"] or source["setup_cost"]:
            source["setup_scrap"] = draw(st.sampled_from([0, 0, 1.5]))
    return source


@st.composite
def _centers(draw: st.DrawFn) -> dict[str, Any]:
    center: dict[str, Any] = {"time": draw(TIMES)}
    if draw(MAYBE):
        center["overtime"] = {"time": draw(st.sampled_from([2, 7.3])), "cost": draw(COSTS)}
    if draw(st.booleans()):
        center["breakdown"] = {
            "fails": draw(st.sampled_from([0, 0.05, 0.3])),
            "repaired": draw(st.sampled_from([0.2, 0.9, 1])),
            "per": draw(st.sampled_from(["period", "unit"])),
        }
    return center


def asked_at_random(scenario: Scenario, seed: int) -> np.ndarray:
    """Return what is asked for in each period, (periods, asked cells): lots, fractions, nonsense.

    After the quantities come priorities, mostly equal, and now and then a project to begin.
    """
    rng = np.random.default_rng(seed)
    shape = (scenario.horizon.periods, len(scenario.sources))
    whole = rng.integers(0, 25, shape).astype(np.float64)
    choice = rng.random(shape)
    asked = np.where(choice < 0.3, whole + rng.random(shape), whole)
    asked = np.where(choice > 0.85, rng.choice(STRANGE, shape), asked)
    priorities = rng.integers(0, 3, shape) * (rng.random((shape[0], 1)) < 0.5)
    begin = rng.random((shape[0], len(scenario.projects))) < 0.1
    return np.hstack([asked, priorities, begin])
