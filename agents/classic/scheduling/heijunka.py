"""Heijunka: a level cycle for products that share a work center and need setups.

    run of a product = its need per period x interval, in whole lots
    interval >= setup times of a cycle / (time - work)           (Monden 1983; Liker and Meier 2006)
    interval >= sqrt(2 sum K / sum h d (1 - d / p))              (Hanssmann 1962, where setups cost)

"Every part every interval": a product is asked for when its gap is at least a run, and then as long
as the work center is set up for it and the gap is not closed. So every product is made about once
per interval, in proportion to its need. Gaps are those of an echelon base-stock policy. Sources
without setups follow that policy alone.

With interval 0 the policy is base-stock; the tuner also starts from the best base-stock.

Textbook sizing: the interval is the larger of two values. One is the least whole interval that
leaves time for the setups, with an allowance of 10 % and without the mean time of breakdowns. The
other is the common cycle of lowest cost; K is the cost of a setup, h the holding cost, d the units
needed and p the units that can be made per period. Levels are those of base-stock plus half a run.
Quantities are in units, times in periods.

>>> every_part_every(setups=2 * 0.1667, time=0.97, work=0.83)
3
>>> round(common_cycle(setups=[200, 200], holding=[1, 1], needs=[8.4, 3.6], rates=[14.5, 14.5]), 2)
11.32
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from jitgym.control import Rule, pull_rule, with_setup_gate
from jitgym.control.sizing import available_time, stages
from jitgym.plant import Layout
from jitgym.scenario import Scenario
from jitgym.units import whole_up

from ..base.acting import shared
from ..base.common import all_echelon_levels, level_parameter
from ..base.declaration import Classic, Parameter, Special, Values, parameter, ruled
from ..pull.base_stock import BASE_STOCK

ALLOWANCE = 0.10
LONGEST = 40.0  # the longest interval, in periods


def every_part_every(setups: float, time: float, work: float) -> int:
    """Return the least interval, in whole periods, in which all setups of a cycle have time."""
    spare = time - work
    if setups <= 0 or spare * LONGEST <= setups * (1 + ALLOWANCE):
        return 1 if setups <= 0 else int(LONGEST)
    return int(whole_up(setups * (1 + ALLOWANCE) / spare))


def common_cycle(
    setups: Sequence[float],
    holding: Sequence[float],
    needs: Sequence[float],
    rates: Sequence[float],
) -> float:
    """Return the common cycle of lowest cost of products that share a machine, in periods.

    A machine that is never there (rate 0) builds no stock up.
    """
    held = math.fsum(
        h * d * max(0.0, 1.0 - d / p) if p > 0 else 0.0
        for h, d, p in zip(holding, needs, rates, strict=True)
    )
    return math.sqrt(2 * math.fsum(setups) / held) if held > 0 else 0.0


def rule(layout: Layout, values: Values) -> Rule:
    """Return base-stock with these local levels, and runs for an interval's need."""
    at, names = stages(layout.scenario), shared(layout.scenario)
    runs = {
        name: at[name].lot * math.floor(interval * at[name].requirement / at[name].lot + 0.5)
        for interval in values["interval"].tolist()
        for name in names
    }
    levels = all_echelon_levels(layout, values["levels"])
    return with_setup_gate(layout, pull_rule(layout, levels=levels), runs)


def why_not(scenario: Scenario) -> str:
    """Return why the policy does not apply, or nothing."""
    return "" if shared(scenario) else "no work center has two sources with setups"


def textbook_interval(scenario: Scenario) -> float:
    """Return the longest of the intervals that the shared work centers need, in periods."""
    names = shared(scenario)
    intervals = []
    for center in dict.fromkeys(scenario.sources[name].at for name in names):
        assert center is not None
        crew = [scenario.sources[name] for name in scenario.crew_of(center)]
        _, work = scenario.needed_at(center)
        time, _ = available_time(scenario, center)
        cycle = common_cycle(
            [s.setup_cost for s in crew],
            [scenario.items[s.makes].holding_cost for s in crew],
            [scenario.mean_requirement(s.makes) for s in crew],
            [time / s.time_per_unit if s.time_per_unit else math.inf for s in crew],
        )
        least = every_part_every(math.fsum(s.setup_time for s in crew), time, work)
        intervals.append(max(float(least), min(round(cycle), LONGEST)))
    return max(intervals)


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the local levels and the interval."""
    interval = textbook_interval(scenario)
    at = stages(scenario)
    levels = level_parameter(scenario, name="levels")
    half = np.array([at[n].requirement * interval / 2 if n in shared(scenario) else 0 for n in at])
    return (
        levels.resized(levels.textbook + np.ceil(half)),
        parameter("interval", "periods", interval, high=12.0, step=0.25),
    )


def of_base_stock(scenario: Scenario, values: Values) -> Values:
    """Return the values with interval 0, so that nothing waits for a run."""
    return {"levels": values["levels"], "interval": np.zeros(1)}


HEIJUNKA = Classic(
    "heijunka",
    why_not,
    parameters,
    ruled(rule),
    holds=(Special(BASE_STOCK, of_base_stock),),
)
