"""What policies for items with a cheap slow source and an expensive fast source share.

The regular source of an item is the slower of its two, the expedited source the faster. Both are
outside suppliers. Quantities in units, lead times in periods.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jitgym.control import Rule, echelon, linear_rule
from jitgym.control.positions import coming
from jitgym.control.sizing import Stage, echelon_level, stages
from jitgym.plant import Layout
from jitgym.plant.records import UNLIMITED
from jitgym.scenario import Scenario

from ..base.declaration import Array, Parameter, parameter
from ..reorder.capped_base_stock import caps_of


def pairs(scenario: Scenario) -> dict[str, tuple[str, str]]:
    """Return item -> its regular and its expedited source, for items with two sources."""
    ways = {
        item: sorted(scenario.sources_of(item), key=scenario.mean_lead_time)
        for item in scenario.items
    }
    return {item: (found[-1], found[0]) for item, found in ways.items() if len(found) == 2}


def why_not(scenario: Scenario) -> str:
    """Return why some item does not have two outside suppliers, or nothing."""
    if len(pairs(scenario)) < len(scenario.items):
        return "it needs two outside suppliers for every item"
    if any(source.consumes or source.at for source in scenario.sources.values()):
        return "it orders from outside suppliers; sources here use work centers or materials"
    return ""


def level_parameters(scenario: Scenario, single_index: bool = False) -> tuple[Parameter, Parameter]:
    """Return the order-up-to levels of the expedited and of the regular source of every item.

    Each is the newsvendor level over the lead time of its source and one period. With
    `single_index`, the expedited level also covers the regular orders that arrive later.
    """
    at = stages(scenario)
    regular = [at[way] for way, _ in pairs(scenario).values()]
    expedited = [at[way] for _, way in pairs(scenario).values()]
    upper = [_newsvendor(stage) for stage in regular]
    lower = [min(_newsvendor(stage), most) for stage, most in zip(expedited, upper, strict=True)]
    if single_index:
        lower = [
            min(level + uncounted(scenario, item), most)
            for level, item, most in zip(lower, pairs(scenario), upper, strict=True)
        ]
    return (
        _levels("expedited_level", expedited, lower, [stage.ceiling for stage in regular]),
        _levels("regular_level", regular, upper, [stage.ceiling for stage in regular]),
    )


def _newsvendor(stage: Stage) -> float:
    return max(echelon_level(stage), stage.smallest_order)


def _levels(
    name: str, at: Sequence[Stage], levels: Sequence[float], high: Sequence[float]
) -> Parameter:
    return parameter(
        name,
        "units",
        levels,
        of=(stage.source for stage in at),
        high=high,
        step=[stage.resolution for stage in at],
    )


def uncounted(scenario: Scenario, item: str) -> float:
    """Return the mean units on order that arrive later than an expedited order placed now."""
    regular, expedited = pairs(scenario)[item]
    later = scenario.mean_lead_time(regular) - scenario.mean_lead_time(expedited)
    return float(np.ceil(scenario.mean_requirement(item) * max(0.0, later - 1)))


def cap_parameter(scenario: Scenario) -> Parameter:
    """Return the cap on the regular order of every item."""
    return caps_of(scenario, [way for way, _ in pairs(scenario).values()])


def expedited_position(layout: Layout, item: str) -> dict[int, float]:
    """Return {state cell: weight} of the expedited position.

    It is stock less backorders, plus all expedited orders, plus the regular orders that arrive no
    later than an expedited order placed now: those of age at least l_r - l_e, the difference
    between the mean lead times.
    """
    scenario = layout.scenario
    regular, expedited = pairs(scenario)[item]
    pipeline = layout.named[f"{regular}.in_process"]
    ahead = scenario.mean_lead_time(regular) - scenario.mean_lead_time(expedited)
    late = {pipeline.start + age for age in range(pipeline.size) if age < ahead - 1e-9}
    if ahead > 1e-9:  # orders that have not shipped are younger still
        late |= set(coming(layout, regular)) - set(range(pipeline.start, pipeline.stop))
    return {cell: w for cell, w in echelon(layout, item).items() if cell not in late}


def two_source_rule(
    layout: Layout,
    expedited: Array,
    regular: Array | None = None,
    *,
    caps: Array | None = None,
    single_index: bool = False,
) -> Rule:
    """Return the rule with these order-up-to levels and caps, one per item.

    Without regular levels, regular orders equal their caps. The expedited order comes first, and
    counts in the position of the regular order.
    """
    scenario = layout.scenario
    place = {name: k for k, name in enumerate(scenario.sources)}
    unbound = np.full(len(pairs(scenario)), UNLIMITED)
    levels = unbound if regular is None else regular
    most = unbound if caps is None else caps
    order, positions, numbers = [], [], []
    for k, (item, (slow, fast)) in enumerate(pairs(scenario).items()):
        full = echelon(layout, item)
        order += [fast, slow]
        positions += [
            full if single_index else expedited_position(layout, item),
            full | {-1 - place[fast]: 1.0},
        ]
        lots = [float(scenario.sources[name].lot_size) for name in (fast, slow)]
        numbers += [
            (UNLIMITED, float(expedited[k]), UNLIMITED, lots[0], 0.0),
            (UNLIMITED, float(levels[k]), float(most[k]), lots[1], 0.0),
        ]
    return linear_rule(layout, order, positions, numbers)
