"""Heijunka with a milk run: a carrier waits for a load, or until an order must go.

    a carrier goes if its orders together are at least its load, or if one is at least `must`

Work centers with setups follow heijunka. The sources of one carrier wait for each other at a
joint gate, like those of can-order (Balintfy 1964), and then all of their orders go. Without the
gate a carrier follows every machine: it makes a trip for a single lot, and another one for the next
lot. With a load and `must` of 0 the policy is heijunka; the tuner also starts from the best
heijunka.

Textbook sizing: the load is the capacity of the carrier if that is limited, else the need of its
sources over the economic interval of can-order; `must` is the time in which this load is needed,
and a period more. Levels are those of heijunka plus the need over that time. Loads and levels are
in units, `must` is in periods of mean need.

>>> load_for(capacity=48, interval=0.4, needs=[12, 12])
48
>>> load_for(capacity=None, interval=2.5, needs=[4, 2])
15.0
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from jitgym.control import Rule, with_joint_gate
from jitgym.control.sizing import stages
from jitgym.plant import Layout
from jitgym.scenario import Scenario
from jitgym.units import whole_up

from ..base.common import lots_of
from ..base.declaration import Array, Classic, Parameter, Special, Values, parameter, ruled
from ..sourcing import can_order
from ..sourcing.can_order import carried
from . import heijunka

LONGEST = 12.0  # the largest `must`, in periods
MOST = 3.0  # the largest load, as a multiple of the textbook's


def load_for(capacity: float | None, interval: float, needs: Sequence[float]) -> float:
    """Return the load of a full carrier, or the need over an interval of at least one period."""
    return capacity if capacity else max(interval, 1.0) * math.fsum(needs)


def rule(layout: Layout, values: Values) -> Rule:
    """Return heijunka with these values, and a joint gate for each carrier."""
    rule, at = heijunka.rule(layout, values), stages(layout.scenario)
    crews = carried(layout.scenario).values()
    for crew, load, must in zip(crews, values["load"], values["must"], strict=True):
        musts = {name: float(must) * at[name].requirement for name in crew}
        rule = with_joint_gate(layout, rule, musts, dict.fromkeys(crew, 0.0), float(load))
    return rule


def why_not(scenario: Scenario) -> str:
    """Return why the policy does not apply, or nothing."""
    return heijunka.why_not(scenario) or can_order.why_not(scenario)


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return levels and interval of heijunka, and load and `must` of every carrier."""
    at, crews = stages(scenario), carried(scenario)
    lots = np.array([lots_of(at, crew).max() for crew in crews.values()])
    needs = {carrier: [at[name].requirement for name in crew] for carrier, crew in crews.items()}
    intervals = dict(zip(crews, can_order.textbook_intervals(scenario).tolist(), strict=True))
    full = [
        load_for(scenario.carriers[carrier].capacity, intervals[carrier], needs[carrier])
        for carrier in crews
    ]
    loads = lots * whole_up(np.array(full) / lots)
    # What nobody needs fills no carrier: it goes when an order must go.
    times = np.array(
        [
            load / need if (need := math.fsum(needs[carrier])) else 0.0
            for carrier, load in zip(crews, loads.tolist(), strict=True)
        ]
    )
    waits = dict.fromkeys(at, 0.0)
    for time, crew in zip(times.tolist(), crews.values(), strict=True):
        waits |= dict.fromkeys(crew, time)
    levels, interval = heijunka.parameters(scenario)
    extra = [
        stage.lot * np.ceil(waits[n] * stage.requirement / stage.lot) for n, stage in at.items()
    ]
    raised = levels.textbook + extra
    return (
        levels.resized(raised, high=levels.high + extra),
        interval,
        parameter("load", "units", loads, of=crews, high=MOST * loads, step=lots),
        parameter(
            "must", "periods of need", np.round(times + 1.0, 1), of=crews, high=LONGEST, step=0.1
        ),
    )


def of_heijunka(scenario: Scenario, values: Values) -> Values:
    """Return the values with which no carrier waits."""
    none: Array = np.zeros(len(carried(scenario)))
    return {**values, "load": none, "must": none}


HEIJUNKA_MILK_RUN = Classic(
    "heijunka-milk-run",
    why_not,
    parameters,
    ruled(rule),
    holds=(Special(heijunka.HEIJUNKA, of_heijunka),),
)
