"""Closed forms and published figures that the whole plant must meet (tests/published).

As in test_oracles.py, a figure is computed here from its formula and compared with the printed one.
It must lie in a 99.9 % interval (familywise) of a simulation that is narrow enough.

The EOQ with disruptions (Snyder and Shen, example 9.1) is a model of continuous time and divisible
demand. The model here is its discrete twin with one unit of demand per period. The simulation
agrees with the twin's exact cost, and the twin lies within .3 % of the printed cost, which counts
half a unit more of stock per period.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy import stats

from jitgym.catalog import load
from jitgym.control import Rule, View, ViewLayout, pull_rule
from jitgym.envs import ActionEncoding, Engine
from jitgym.evaluate import rollout
from jitgym.evaluate.compiled_loop import run_rules
from jitgym.evaluate.statistics import familywise, interval
from jitgym.plant import episode_keys, lay_out
from jitgym.scenario import Scenario
from tests.scenarios import plant
from tests.tables import published

FIGURES = 16  # simulated means in this file, at most
LEVEL = familywise(0.999, FIGURES)


def costs(scenario: Scenario, rule: Rule, episodes: int) -> np.ndarray:
    keys = episode_keys("test", 0, np.arange(episodes))
    return run_rules(lay_out(scenario), rule, keys, "test", flows=False).cost[0]


def assert_contains(values: np.ndarray, figure: float, widest: float) -> None:
    found = interval(values, LEVEL)
    assert found.half_width < widest * figure, found
    assert found.low < figure < found.high, (figure, found)


# --- quality and supply that fails ----------------------------------------------------------------


def yield_cost(units: int, demand: int, good: float, holding: float, shortage: float) -> float:
    """E[h (Y - D)+ + b (D - Y)+] with Y ~ binomial(q, y): the newsvendor with binomial yield."""
    came = np.arange(units + 1)
    left = came - demand
    cost = np.where(left > 0, holding * left, -shortage * left)
    return float(stats.binom(units, good).pmf(came) @ cost)


@pytest.mark.parametrize(
    ("demand", "good", "holding", "shortage", "best", "printed"),
    [(20, 0.9, 1, 4, 23, 2.178564), (50, 0.8, 1, 9, 68, 5.966696)],
)
def test_the_newsvendor_with_binomial_yield_costs_what_its_formula_says(
    demand: int, good: float, holding: float, shortage: float, best: int, printed: float
) -> None:
    """A season of one period, without a lead time; each unit left over costs h."""
    exact = {q: yield_cost(q, demand, good, holding, shortage) for q in range(demand, 2 * demand)}
    assert min(exact, key=exact.__getitem__) == best
    assert exact[best] == pytest.approx(printed, abs=5e-7)
    scenario = plant(
        items={"product": {"holding_cost": holding}},
        sources={"supplier": {"makes": "product", "quality": {"defects": 1 - good}}},
        demands={
            "customers": {
                "item": "product",
                "quantity": demand,
                "unmet": "lost",
                "shortage_cost": shortage,
            }
        },
        horizon={"season": 1},
    )
    rule = pull_rule(lay_out(scenario), levels={"supplier": float(best)})
    assert_contains(costs(scenario, rule, 300_000), exact[best], widest=0.01)


def disrupted(demand: int, fails: float, repaired: float, **cost: float) -> Scenario:
    """A constant demand, a supplier that goes down, no lead time."""
    return plant(
        items={"product": {"holding_cost": cost["holding"]}},
        sources={
            "supplier": {
                "makes": "product",
                "shipment_cost": cost.get("fixed", 0.0),
                "disruption": {"fails": fails, "repaired": repaired},
            }
        },
        demands={
            "customers": {
                "item": "product",
                "quantity": demand,
                "unmet": "lost" if "lost" in cost else "backordered",
                "shortage_cost": cost.get("lost", cost.get("backorder", 0.0)),
            }
        },
        horizon={"ongoing": 12_000, "warm_up": 2_000},
    )


def test_the_newsvendor_with_disruptions_costs_what_its_formula_says() -> None:
    """Snyder and Shen, example 9.3: n periods after the last delivery, S - (n + 1) d is left."""
    holding, backorder, demand, fails, repaired, level = 0.25, 3.0, 2000, 0.04, 0.25, 8000
    down = np.arange(1, 400)
    share = fails * repaired / (fails + repaired) * (1 - repaired) ** (down - 1)
    share = np.concatenate([[repaired / (fails + repaired)], share])
    left = level - demand * np.arange(1, 401)
    exact = float(share @ np.where(left > 0, holding * left, -backorder * left))
    assert exact == pytest.approx(2737.069, abs=5e-4)
    scenario = disrupted(demand, fails, repaired, holding=holding, backorder=backorder)
    rule = pull_rule(lay_out(scenario), levels={"supplier": float(level)})
    assert_contains(costs(scenario, rule, 1500), exact, widest=0.01)


def test_the_eoq_with_disruptions_costs_what_its_discrete_twin_says() -> None:
    """Snyder and Shen, example 9.1 (Berk and Arreola-Risa 1994), one unit of demand per period."""
    holding, fixed, lost, demand, breaks, mends, order = 0.225, 8.0, 5.0, 1300, 1.5, 14.0, 773
    fails, repaired = breaks / demand, mends / demand
    # The supplier was up when it delivered; it may be down when the stock is gone, `order` periods
    # later.
    down = fails / (fails + repaired) * (1 - (1 - fails - repaired) ** order)
    waits = down / repaired
    stock = holding / demand * order * (order - 1) / 2
    exact = (fixed + stock + lost * waits) / (order + waits)
    assert exact * demand == pytest.approx(173.950003, rel=0.003)
    scenario = disrupted(1, fails, repaired, holding=holding / demand, fixed=fixed, lost=lost)
    scenario = load(scenario, **{"horizon.ongoing": 60_000})
    rule = pull_rule(
        lay_out(scenario), levels={"supplier": float(order)}, triggers={"supplier": float(order)}
    )
    assert_contains(costs(scenario, rule, 1000), exact, widest=0.03)


# --- classics of the catalog ----------------------------------------------------------------------


def test_the_serial_system_costs_what_clark_and_scarf_say() -> None:
    scenario = load("serial-system")
    levels = {"supply": 26.0, "forward": 15.0, "deliver": 9.0}
    rule = pull_rule(lay_out(scenario), levels=levels)
    printed = 72.0435 - 20  # less the transit to stage 1, which a lead time of 0 leaves out
    assert scenario.known_optimum is not None
    figure = scenario.known_optimum.cost  # by the recursion and by exact evaluation
    assert figure == pytest.approx(printed, rel=1e-4)
    assert_contains(costs(scenario, rule, 1200), figure, widest=0.004)


def test_the_fixed_cost_scenario_costs_what_zheng_and_federgruen_print() -> None:
    row = published("s_S_zheng_federgruen.csv")[0]
    scenario = load("fixed-cost")
    at, up_to, printed = (float(row[k]) for k in ("reorder_point_s", "order_up_to_S", "cost"))
    assert (at, up_to, printed) == (6, 40, 35.022)
    rule = pull_rule(
        lay_out(scenario), levels={"supplier": up_to}, triggers={"supplier": up_to - at}
    )
    assert_contains(costs(scenario, rule, 400), printed, widest=0.005)


@pytest.mark.parametrize("row", [0, 5, 13])
def test_a_perishable_base_stock_returns_what_is_printed(row: int) -> None:
    """De Moor, Gijsbrechts and Boute (2022); the scenario follows their protocol."""
    figures = published("perishable.csv")[row]
    scenario = load(
        "perishable",
        shelf_life=int(figures["shelf_life"]),
        lead_time=int(figures["lead_time"]),
        waste_cost=float(figures["waste_cost"]),
        issuing=figures["issuing"],
    )
    layout = lay_out(scenario)
    episodes = 3000
    rules = [pull_rule(layout, levels={"supplier": float(level)}) for level in range(5, 26)]
    keys = episode_keys("test", 0, np.arange(episodes))
    found = run_rules(layout, rules[0].stack(rules[1:]), keys, "test", flows=False).cost
    best = found[int(np.argmin(found.mean(axis=1)))]
    # The printed figure is a rounded mean of 10,000 episodes.
    ours, theirs = best.std() / math.sqrt(episodes), best.std() / math.sqrt(10_000)
    margin = 0.5 + 3.3 * math.hypot(ours, theirs)
    assert margin < 0.005 * best.mean()
    assert -best.mean() == pytest.approx(float(figures["best_base_stock_return"]), abs=margin)


# --- the bullwhip effect --------------------------------------------------------------------------


class MovingAverage:
    """Order up to L times the mean of the last p demands, which are its memory."""

    name, rule = "moving-average", None

    def __init__(self, scenario: Scenario, lead_time: int, past: int, mean: float) -> None:
        self.lead_time, self.past, self.mean = lead_time, past, mean
        self.layout = lay_out(scenario)

    def start(self, batch: int) -> np.ndarray:
        return np.full((batch, self.past), self.mean)

    def act(self, view: View, memory: np.ndarray) -> np.ndarray:
        before = self.lead_time * memory.mean(axis=1)
        memory[:, 1:] = memory[:, :-1].copy()
        memory[:, 0] = view["customers.last"]
        return self.lead_time * memory.mean(axis=1) - before + memory[:, 0]


@pytest.mark.parametrize(("lead_time", "past"), [(2, 4), (4, 4), (1, 5)])
def test_order_up_to_with_a_moving_average_has_the_bullwhip_of_chen_et_al(
    lead_time: int, past: int
) -> None:
    """Chen, Drezner, Ryan and Simchi-Levi (2000): Var(orders) / Var(demand) is at least
    1 + 2 L/p + 2 (L/p)^2, and that exactly where demand is independent and no safety is added.
    """
    scenario = plant(
        items={"product": {"initial_stock": 1000}},
        sources={"supplier": {"makes": "product", "lead_time": lead_time - 1, "lot_size": 0.05}},
        demands={
            "customers": {
                "item": "product",
                "quantity": {"distribution": "normal", "mean": 100, "standard_deviation": 8},
                "unmet": "backordered",
            }
        },
        horizon={"ongoing": 1000, "warm_up": 20},
    )
    rows = rollout(MovingAverage(scenario, lead_time, past, 100), scenario, episodes=100, seed=1)
    ratio = lead_time / past
    bound = 1 + 2 * ratio + 2 * ratio**2
    assert_contains(rows["bullwhip"].to_numpy(), bound, widest=0.02)
    np.testing.assert_allclose(rows["bullwhip_asked"], rows["bullwhip"], rtol=1e-3)


# --- demand that moves ----------------------------------------------------------------------------


def watch(
    scenario: Scenario, plants: int, periods: int, *names: str
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return requested demands, (periods, plants), and state cells, (periods, plants, cells)."""
    layout = lay_out(scenario)
    engine = Engine(layout, plants, ActionEncoding(layout, "asked"))
    engine.seed[:] = np.arange(plants)
    engine.place(np.ones(plants, dtype=np.bool_))
    cells = {part.name: slice(part.start, part.stop) for part in layout.state}
    requested: dict[str, list[np.ndarray]] = {name: [] for name in scenario.demands}
    seen: dict[str, list[np.ndarray]] = {name: [] for name in names}
    nothing = np.zeros((plants, len(scenario.sources)))
    for _ in range(periods):
        for name in names:
            seen[name].append(engine.state[:, cells[name]].copy())
        engine.step(nothing)
        for name, drawn in requested.items():
            drawn.append(engine.state[:, cells[f"{name}.last"]][:, 0].copy())
    return (
        {name: np.array(drawn) for name, drawn in requested.items()},
        {name: np.array(rows) for name, rows in seen.items()},
    )


def demanded(quantity: Any, horizon: Any = None, **demand: Any) -> Scenario:
    return plant(
        demands={"customers": {"item": "product", "quantity": quantity, "unmet": "lost", **demand}},
        horizon=horizon or {"ongoing": 100},
    )


QUANTITIES = [
    {"distribution": "poisson", "mean": 3},
    {"distribution": "negative-binomial", "mean": 20, "size": 4},
    {"distribution": "finite", "values": [0, 7, 30], "probabilities": [0.6, 0.3, 0.1]},
]


@pytest.mark.parametrize("shares", [(0.3, 0.25, 0.2), (0.5, 0.5), (0.0, 0.6)])
@pytest.mark.parametrize("quantity", QUANTITIES, ids=lambda q: q["distribution"])
def test_a_revealed_forecast_is_a_martingale_with_the_stated_marginals(
    quantity: dict[str, Any], shares: tuple[float, ...]
) -> None:
    """Heath and Jackson (1994): forecasts are conditional means, with independent updates."""
    scenario = demanded(quantity, forecast={"method": "revealed", "shares": list(shares)})
    plants, periods, leads = 1500, 24, len(shares) + 1
    drawn, seen = watch(scenario, plants, periods, "customers.forecast")
    demand, forecast = drawn["customers"], seen["customers.forecast"]
    stated = scenario.demands["customers"].quantity
    # Marginals: each demand has the stated distribution; rare values are grouped.
    support, chances = stated.pmf()
    groups = np.minimum(np.cumsum(chances) * 8, 7).astype(int)
    of_value = dict(zip(support.tolist(), groups.tolist(), strict=True))
    hits = np.bincount([of_value[v] for v in demand.ravel().tolist()], minlength=8)
    expected = np.bincount(groups, weights=chances, minlength=8) * demand.size
    assert stats.chisquare(hits[expected > 0], expected[expected > 0]).pvalue > 1e-4
    # Forecasts j ahead are unbiased, and one more unit forecast means one more of demand.
    path = [demand[leads:]] + [
        forecast[leads - j : periods - j, :, j] for j in range(leads)
    ]  # one demand, then its forecasts made 0, 1, ... periods before
    for ahead in path[1:]:
        error = path[0] - ahead
        assert abs(error.mean()) <= 5 * error.std() / math.sqrt(error.size) + 1e-9
        if ahead.std() > 1e-9:
            slope = np.polyfit(ahead.ravel(), path[0].ravel(), 1)[0]
            noise = error.std() / ahead.std() / math.sqrt(error.size)
            assert slope == pytest.approx(1.0, abs=5 * noise + 1e-9)
    # The updates of one demand's forecast, latest first, are uncorrelated.
    news = [now - before for now, before in pairwise(path)]
    for k, one in enumerate(news):
        for other in news[k + 1 :]:
            if one.std() > 1e-9 and other.std() > 1e-9:
                r = np.corrcoef(one.ravel(), other.ravel())[0, 1]
                assert abs(r) < 5.5 / math.sqrt(one.size)
    # If the shares add up to 1, everything is revealed and nothing is left to draw.
    if math.isclose(sum(shares), 1):
        np.testing.assert_allclose(path[0], path[1], atol=1e-9)
    # No more of the latent variance is revealed than stated: forecasts further ahead vary less.
    spread = [ahead.std() for ahead in path]
    assert all(near >= far - 1e-9 for near, far in pairwise(spread))


def test_the_demand_of_a_life_cycle_has_the_stated_total() -> None:
    """Poisson given a gamma level: mean m, variance m + s^2, with the stated shares."""
    shares = [0.1, 0.2, 0.4, 0.2, 0.1]
    scenario = demanded(
        {
            "distribution": "life-cycle",
            "mean": 300,
            "standard_deviation_of_level": 90,
            "shares": shares,
            "first": 2,
        },
        {"season": 9},
    )
    drawn, seen = watch(scenario, 40_000, 9, "customers.so_far")
    demand = drawn["customers"]
    total = demand.sum(axis=0)
    assert total.mean() == pytest.approx(300, abs=4.5 * total.std() / 200)
    assert total.var() == pytest.approx(300 + 90**2, rel=0.04)
    by_period = demand.mean(axis=1) / 300
    assert by_period == pytest.approx([0, 0, *shares, 0, 0], abs=0.004)
    assert (seen["customers.so_far"][1:, :, 0] == demand[:-1].cumsum(axis=0)).all()
    # The level is gamma distributed, so the total is negative binomial.
    stated = stats.nbinom(300**2 / 90**2, 1 / (1 + 90**2 / 300))
    edges = stated.ppf(np.arange(1, 20) / 20)
    hits = np.bincount(np.searchsorted(edges, total), minlength=20)
    chances = np.diff(np.concatenate([[0], stated.cdf(edges), [1]]))
    assert stats.chisquare(hits, chances * total.size).pvalue > 1e-4


@pytest.mark.parametrize("seen", [True, False])
def test_regimes_last_and_alternate_as_stated(seen: bool) -> None:
    """Means 2 and 8, staying with .95 each: the autocorrelation at lag k is 9 / 14 x .9^k."""
    scenario = load("regime-switching", seen=seen)
    drawn, states = watch(scenario, 3000, 60, "customers.regime")
    regime, demand = states["customers.regime"][:, :, 0], drawn["customers"]
    assert regime.mean(axis=1) == pytest.approx(np.full(60, 0.5), abs=0.05)  # in every period
    stays = (regime[1:] == regime[:-1]).mean()
    assert stays == pytest.approx(0.95, abs=0.003)
    for which, mean in ((0, 2), (1, 8)):
        assert demand[regime == which].mean() == pytest.approx(mean, abs=0.05)
    centered = demand - 5
    for lag in (1, 5, 10):
        r = (centered[lag:] * centered[:-lag]).mean() / centered.var()
        assert r == pytest.approx(9 / 14 * 0.9**lag, abs=0.03)
    shown = any(c.name == "customers.regime" for c in ViewLayout(lay_out(scenario)).cells)
    assert shown == seen


def test_uneven_regimes_have_their_long_run_shares() -> None:
    quantity = {
        "distribution": "regimes",
        "regimes": {"a": 1, "b": 10, "c": 100},
        "stay": {"a": 0.8, "b": 0.5, "c": 0.9},
    }
    drawn, _ = watch(demanded(quantity), 3000, 20)
    # Stays last 5, 2 and 10 periods and lead to either other regime: shares are proportional.
    shares = np.array([5, 2, 10]) / 17
    found = [(drawn["customers"] == value).mean() for value in (1, 10, 100)]
    assert found == pytest.approx(shares, abs=0.02)


@pytest.mark.parametrize("shares", [(0.7, 0.3), (0.5, 0.3, 0.1)])
def test_the_parts_of_a_stream_add_up_to_it_and_are_binomial(shares: tuple[float, ...]) -> None:
    demands = {
        f"part_{k}": {
            "item": "product",
            "quantity": {"distribution": "part-of", "stream": "all", "share": share},
            "unmet": "lost",
        }
        for k, share in enumerate(shares)
    }
    fixed = plant(demands=demands, streams={"all": {"quantity": 12}})
    drawn, _ = watch(fixed, 2000, 15)
    parts = np.array([*drawn.values()])
    if math.isclose(sum(shares), 1):
        assert (parts.sum(axis=0) == 12).all()
    assert parts.sum(axis=0).max() <= 12
    for share, part in zip(shares, parts, strict=True):
        hits = np.bincount(part.ravel().astype(int), minlength=13)
        expected = stats.binom(12, share).pmf(np.arange(13)) * part.size
        often = expected >= 5  # values that are too rare for the test are left out
        hits, expected = hits[often], expected[often]
        assert stats.chisquare(hits, expected * hits.sum() / expected.sum()).pvalue > 1e-4
    # Parts of a constant are correlated negatively: r = -sqrt(p q / ((1 - p) (1 - q))).
    p, q = shares[:2]
    r = np.corrcoef(parts[0].ravel(), parts[1].ravel())[0, 1]
    assert r == pytest.approx(-math.sqrt(p * q / ((1 - p) * (1 - q))), abs=0.03)
    # The parts of a Poisson stream are Poisson and independent of each other.
    random = plant(
        demands=demands, streams={"all": {"quantity": {"distribution": "poisson", "mean": 9}}}
    )
    parts = np.array([*watch(random, 2000, 15)[0].values()])
    for share, part in zip(shares, parts, strict=True):
        assert part.mean() == pytest.approx(9 * share, abs=0.08)
        assert part.var() == pytest.approx(9 * share, rel=0.06)
    assert abs(np.corrcoef(parts[0].ravel(), parts[1].ravel())[0, 1]) < 0.03
