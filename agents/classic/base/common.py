"""Parameters that many policies share (local levels, cards, quantities), and their conversions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from jitgym.control import echelon_matrix
from jitgym.control.sizing import (
    Stage,
    base_stock_levels,
    echelon_level,
    from_supplier_to_customer,
    outside_suppliers,
    stages,
)
from jitgym.plant import Layout
from jitgym.scenario import Scenario

from .declaration import Array, Parameter, Values, parameter


def newsvendor_cost(stage: Stage) -> float:
    """Return the holding and shortage cost per period of the base-stock level."""
    covered, level = stage.must_cover, echelon_level(stage)
    over = level - np.arange(covered.size)
    costs = stage.holding * np.maximum(over, 0.0) + stage.shortage * np.maximum(-over, 0.0)
    return float(costs @ covered)


def level_parameter(
    scenario: Scenario, of: Iterable[str] | None = None, name: str = ""
) -> Parameter:
    """Return the local base-stock levels as a parameter, for all sources or for those in `of`.

    Its name is `level` if the plant has one source and `name` is not given. No level is above the
    storage, because orders above the storage are never granted.
    """
    at, textbook = stages(scenario), base_stock_levels(scenario)
    names = tuple(at if of is None else of)
    room = [at[source].storage for source in names]
    one = len(at) == 1 and not name
    return parameter(
        "level" if one else name or "levels",
        "units",
        np.minimum([textbook[source] for source in names], room),
        of=names,
        high=np.minimum([at[source].ceiling for source in names], room),
        step=[at[source].resolution for source in names],
        alias="levels" if one else "",
    )


def station_levels(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the local levels of the sources that are not outside suppliers, if there are any."""
    stations = [name for name in stages(scenario) if name not in outside_suppliers(scenario)]
    return (level_parameter(scenario, stations, "levels"),) if stations else ()


def levels_of_stations(layout: Layout, values: Values) -> dict[str, float]:
    """Return source -> echelon level; the local level of an outside supplier counts as 0."""
    suppliers = outside_suppliers(layout.scenario)
    names = [s for s in from_supplier_to_customer(layout.scenario) if s not in suppliers]
    return echelon_levels(layout, names, values.get("levels", np.empty(0)).tolist())


def echelon_levels(
    layout: Layout, names: Iterable[str], local: Iterable[float]
) -> dict[str, float]:
    """Return source -> echelon level from local levels; sources not in `names` count as 0."""
    given = dict(zip(names, local, strict=True))
    sources = layout.scenario.sources
    levels = echelon_matrix(layout.scenario) @ [given.get(name, 0.0) for name in sources]
    return dict(zip(sources, levels.tolist(), strict=True))


def all_echelon_levels(layout: Layout, local: Array) -> dict[str, float]:
    """Return source -> echelon level from local levels listed from supplier to customer."""
    return echelon_levels(layout, from_supplier_to_customer(layout.scenario), local.tolist())


def at_suppliers(layout: Layout, values: Array) -> dict[str, float]:
    """Return outside supplier -> its value."""
    return dict(zip(outside_suppliers(layout.scenario), values.tolist(), strict=True))


def lots_of(at: Mapping[str, Stage], names: Iterable[str] | None = None) -> Array:
    """Return the lot sizes of these sources, or of all from supplier to customer, in units."""
    return np.array([at[name].lot for name in (at if names is None else names)])


def units_of_cards(
    layout: Layout, cards: Array, names: Iterable[str] | None = None
) -> dict[str, float]:
    """Return source -> the units that its cards stand for: one lot per card."""
    scenario = layout.scenario
    order = from_supplier_to_customer(scenario) if names is None else names
    counts = zip(order, cards.tolist(), strict=True)
    return {source: count * scenario.sources[source].lot_size for source, count in counts}


def held_by_cards(scenario: Scenario, cards: Array) -> Array:
    """Return the most units of its item that each source can see under these cards.

    The order is from supplier to customer. A source is asked only while all units of its item are
    below its own cards, so there are never more units than the source with the most cards allows.
    """
    units = cards * lots_of(stages(scenario))
    made = [scenario.sources[name].makes for name in from_supplier_to_customer(scenario)]
    return np.array([units[[other == item for other in made]].max() for item in made])
