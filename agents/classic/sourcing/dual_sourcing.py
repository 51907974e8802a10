"""What the policies of an item with a cheap slow source and a dear fast one share.

The regular source is the slower of an item's two, the expedited one the faster. Both are outside
suppliers. Quantities in units, lead times in periods.
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
    """Return item -> its regular and its expedited source, of items with two."""
    ways = {
        item: sorted(scenario.sources_of(item), key=scenario.mean_lead_time)
        for item in scenario.items
    }
    return {item: (found[-1], found[0]) for item, found in ways.items() if len(found) == 2}


def why_not(scenario: Scenario) -> str:
    """Return why there are no two suppliers to choose from, or nothing."""
    if len(pairs(scenario)) < len(scenario.items):
        return "it needs two outside suppliers of every item"
    if any(source.consumes or source.at for source in scenario.sources.values()):
        return "it orders from outside suppliers; sources here make or move"
    return ""


def level_parameters(scenario: Scenario, single_index: bool = False) -> tuple[Parameter, Parameter]:
    """Return the levels of the expedited and of the regular source of every item.

    Each is the newsvendor level over its source's own lead time and one period. Where the expedited
    order looks at the full position, the regular orders that come later are added to its level.
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
    """Return the most that is ordered at once from the regular source of every item."""
    return caps_of(scenario, [way for way, _ in pairs(scenario).values()])


def expedited_position(layout: Layout, item: str) -> dict[int, float]:
    """Return {state cell: weight} of what an expedited order can count on.

    Stock less backorders, all expedited orders, and the regular orders that arrive no later than an
    expedited order placed now would: those of age at least l_r - l_e, by the mean lead times.
    """
    scenario = layout.scenario
    regular, expedited = pairs(scenario)[item]
    (pipeline,) = [part for part in layout.state if part.name == f"{regular}.in_process"]
    ahead = scenario.mean_lead_time(regular) - scenario.mean_lead_time(expedited)
    late = {pipeline.start + age for age in range(pipeline.size) if age < ahead - 1e-9}
    if ahead > 1e-9:  # what has not shipped yet is younger than all of it
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
    """Return the rule with these levels and caps, one of each item; without a level only the cap.

    The expedited order comes first and counts for the regular one.
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
