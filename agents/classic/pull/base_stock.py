"""Base-stock policy: every period, order up to a level S.

    order = max(0, S - inventory position)

On a line the position is the echelon's (Clark and Scarf 1960): all in process and in stock at an
item and below it, down to the customer, net of backorders. Levels are given *local*, from supplier
to customer; the echelon level of an item is the sum of the local ones from there down, weighted by
the bill of materials.

Textbook sizing: S is the newsvendor quantile b / (b + h) of demand over the lead time and one
review period (Zipkin 2000); where unmet demand is lost, p / (p + h) of the same. On a line every
echelon level is the mean of two newsvendor levels that bound it (Shang and Song 2003), and demand
over the lead time includes the units that wait for a busy or broken work center (Glasserman 1997;
`Stage.queue`). Levels in units, costs a unit and period.

>>> from jitgym.distributions import Poisson
>>> newsvendor_level(Poisson(mean=6), holding=1, shortage=4)  # Snyder and Shen, chapter 4
8
>>> newsvendor_cost(Poisson(mean=6), level=8, holding=1, shortage=4)
3.570107
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from jitgym.control import Policy, RulePolicy, echelon_matrix, pull_rule
from jitgym.distributions import Distribution
from jitgym.plant import Layout
from jitgym.scenario import Scenario
from jitgym.units import whole_up

from ..base.declaration import Array, Classic, Parameter, Values, plain
from ..base.sizing import Stage, critical_ratio, from_supplier_to_customer, mass, quantile, stages


def newsvendor_level(demand: Distribution, holding: float, shortage: float) -> int:
    """Return the least level, in whole units, that covers b / (b + h) of demand."""
    return int(quantile(mass(demand), critical_ratio(shortage, holding)))


def newsvendor_cost(demand: Distribution, level: float, holding: float, shortage: float) -> float:
    """Return the mean cost of a period that begins with this level."""
    support, probabilities = demand.pmf()
    left = level - support
    return float(probabilities @ (holding * np.maximum(left, 0) + shortage * np.maximum(-left, 0)))


def bounded_level(lead_time_demand: Array, low: float, high: float) -> float:
    """Return the mean of the newsvendor levels at two ratios, in whole units.

    >>> from jitgym.distributions import Poisson
    >>> h, b = 0.25, 9  # Shang and Song (2003): four stages, 16 units a period, lead times 0.25
    >>> [bounded_level(mass(Poisson(mean=4 * j)), (b + h * (4 - j)) / (b + h * 4),
    ...                (b + h * (4 - j)) / (b + h * (5 - j))) for j in (1, 2, 3, 4)]
    [8.0, 13.0, 18.0, 22.0]
    """
    return float((quantile(lead_time_demand, low) + quantile(lead_time_demand, high)) // 2)


def local_levels(scenario: Scenario, echelon: Mapping[str, float]) -> dict[str, float]:
    """Return source -> local level, in whole units and at least 0, of echelon levels.

    Where only one item is made of another, the lower echelon holds no more than the upper.
    """
    levels = dict(echelon)
    for name in levels:
        consumers = scenario.consumers_of(scenario.sources[name].makes)
        if len(consumers) == 1:
            (below,) = consumers
            units = scenario.sources[below].consumes[scenario.sources[name].makes]
            levels[below] = min(levels[below], levels[name] / units)
    matrix = echelon_matrix(scenario)
    local = np.linalg.solve(matrix, [levels[name] for name in scenario.sources])
    whole = np.maximum(whole_up(local), 0.0)
    return dict(zip(scenario.sources, whole.tolist(), strict=True))


def echelon_levels(
    layout: Layout, names: Iterable[str], local: Iterable[float]
) -> dict[str, float]:
    """Return source -> echelon level of local levels; those that are not named count as 0."""
    given = dict(zip(names, local, strict=True))
    sources = layout.scenario.sources
    levels = echelon_matrix(layout.scenario) @ [given.get(name, 0.0) for name in sources]
    return dict(zip(sources, levels.tolist(), strict=True))


def level_parameter(scenario: Scenario, of: Iterable[str] | None = None) -> Parameter:
    """Return local levels as a parameter, of every source or of those named."""
    at = stages(scenario)
    textbook = local_levels(scenario, {name: _textbook(stage) for name, stage in at.items()})
    names = tuple(at if of is None else of)
    one = len(at) == 1
    # A level above the storage asks for what is never granted: the storage is the level then.
    most = {name: _storage(scenario, name) for name in names}
    return Parameter(
        name="level" if one else "levels",
        alias="levels" if one else "",
        unit="units",
        of=names,
        textbook=np.array([min(textbook[name], most[name]) for name in names]),
        high=np.array([min(max(at[name].ceiling, textbook[name]), most[name]) for name in names]),
        step=np.array([at[name].resolution for name in names]),
    )


def _storage(scenario: Scenario, source: str) -> float:
    storage = scenario.items[scenario.sources[source].makes].storage
    return np.inf if storage is None else storage


def _textbook(stage: Stage) -> float:
    """The textbook's echelon level; below a minimum order nothing would ever be ordered."""
    level = bounded_level(stage.lead_time_demand, *stage.ratios)
    return max(level, stage.smallest_order) if stage.smallest_order > stage.lot else level


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the local levels."""
    return (level_parameter(scenario),)


def build(name: str, layout: Layout, values: Values) -> Policy:
    """Return the policy with these local levels."""
    (local,) = values.values()
    levels = echelon_levels(layout, from_supplier_to_customer(layout.scenario), local.tolist())
    return RulePolicy(name, layout, pull_rule(layout, levels=levels), plain(values))


BASE_STOCK = Classic("base-stock", lambda scenario: "", parameters, build)
