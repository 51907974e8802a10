"""Closed forms that simulation must meet (../shared/reference/oracles.csv, exact to its digits).

Every figure is computed here from its formula and compared with the printed one. It must then lie
in the 99.9 % interval (familywise, Bonferroni) of a simulation. The half-width is below a stated
share of the figure (`widest`), so that an error of that size in the plant would show.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np
import pytest
from scipy import stats

from jitgym.catalog import load
from jitgym.control import Rule, pull_rule
from jitgym.evaluate.compiled_loop import Outcome, run_rules
from jitgym.evaluate.statistics import familywise, interval
from jitgym.plant import Layout, episode_keys, lay_out
from jitgym.scenario import Scenario
from tests.scenarios import Probe, plant

FIGURES = 26  # simulated means in this file, at most
LEVEL = familywise(0.999, FIGURES)


def simulate(scenario: Scenario, rule: Rule, episodes: int) -> tuple[Layout, Outcome]:
    layout = lay_out(scenario)
    return layout, run_rules(layout, rule, episode_keys("test", 0, np.arange(episodes)), "test")


def assert_contains(values: np.ndarray, figure: float, widest: float) -> None:
    """Assert that the interval of the mean contains the figure, within +- `widest` x figure."""
    found = interval(values, LEVEL)
    assert found.half_width < widest * figure, found
    assert found.low < figure < found.high, (figure, found)


def flow(layout: Layout, outcome: Outcome, name: str) -> np.ndarray:
    """Return the total of a flow over the measured periods of each episode."""
    return outcome.sums[0, :, layout.flow(name)]


# --- one item, periodic review --------------------------------------------------------------------


def newsvendor_cost(mean: float, level: int, holding: float, shortage: float) -> float:
    """E[h (S - D)+ + p (D - S)+] for Poisson D: stationary cost of a base-stock policy.

    Backorders: D is the demand of L + 1 periods (Zipkin 2000, section 6.2). Lost sales without a
    lead time: D is the demand of one (section 9.5: each period begins with S).
    """
    demand = stats.poisson(mean)
    below = np.arange(level + 1)
    left = float(((level - below) * demand.pmf(below)).sum())
    return holding * left + shortage * (mean - level + left)


def one_item(unmet: str, shortage: float, lead_time: int, level: int) -> Scenario:
    return plant(
        items={"product": {"holding_cost": 1, "initial_stock": level}},
        sources={"supplier": {"makes": "product", "lead_time": lead_time}},
        demands={
            "customers": {
                "item": "product",
                "quantity": {"distribution": "poisson", "mean": 5},
                "unmet": unmet,
                "shortage_cost": shortage,
            }
        },
        horizon={"ongoing": 3000, "warm_up": 50},
    )


ONE_ITEM = [
    ("backordered", 1, 4, 13, 4.612364),
    ("backordered", 1, 9, 14, 5.869372),
    ("backordered", 1, 19, 15, 7.069574),
    ("backordered", 1, 39, 17, 8.107867),
    ("backordered", 4, 4, 29, 7.169839),
    ("backordered", 4, 9, 32, 9.151049),
    ("backordered", 4, 19, 33, 10.872978),
    ("backordered", 4, 39, 35, 12.401047),
    ("lost", 0, 4, 7, 3.277405),
    ("lost", 0, 9, 8, 4.221093),
    ("lost", 0, 19, 9, 5.080313),
]


@pytest.mark.parametrize(("unmet", "lead_time", "shortage", "level", "printed"), ONE_ITEM)
def test_base_stock_costs_what_the_newsvendor_formula_says(
    unmet: str, lead_time: int, shortage: float, level: int, printed: float
) -> None:
    exact = newsvendor_cost(5 * (lead_time + 1), level, 1, shortage)
    assert exact == pytest.approx(printed, abs=5e-7)
    scenario = one_item(unmet, shortage, lead_time, level)
    layout = lay_out(scenario)
    rule = pull_rule(layout, levels={"supplier": float(level)})
    _, outcome = simulate(scenario, rule, episodes=512)
    assert_contains(outcome.cost[0], exact, widest=0.01)


# --- queues on one clock --------------------------------------------------------------------------


def event(rate: float) -> dict[str, Any]:
    return {"distribution": "event", "rate": rate, "clock": "all"}


def make_to_stock_cost(rho: float, level: int, holding: float, backorder: float) -> float:
    """M/M/1 make-to-stock (Buzacott and Shanthikumar 1993, chapter 4): cost per unit of time.

    C(S) = h (S - rho (1 - rho^S) / (1 - rho)) + b rho^(S+1) / (1 - rho)
    """
    short = rho ** (level + 1) / (1 - rho)
    return holding * (level - rho * (1 - rho**level) / (1 - rho)) + backorder * short


# The mean of a busy queue varies more: the less busy one, which is not printed, is more precise.
@pytest.mark.parametrize(
    ("rho", "level", "printed", "episodes", "widest"),
    [(0.5, 3, 3.25, 400, 0.008), (0.8, 10, 10.294967, 512, 0.02), (0.9, 21, 21.847709, 300, 0.06)],
)
def test_make_to_stock_on_one_clock_costs_what_the_queue_says(
    rho: float, level: int, printed: float, episodes: int, widest: float
) -> None:
    """A period is one event of the uniformized chain, so means over periods are means over time."""
    exact = make_to_stock_cost(rho, level, 1, 9)
    assert exact == pytest.approx(printed, abs=5e-7)
    best = min(range(60), key=lambda s: make_to_stock_cost(rho, s, 1, 9))
    assert best == level == math.floor(math.log(1 / 10) / math.log(rho))
    scenario = plant(
        items={"product": {"holding_cost": 1, "initial_stock": level}},
        work_centers={"machine": {"time": event(1)}},
        sources={"making": {"makes": "product", "at": "machine", "time_per_unit": 1}},
        demands={
            "customers": {
                "item": "product",
                "quantity": event(rho),
                "unmet": "backordered",
                "shortage_cost": 9,
            }
        },
        horizon={"ongoing": 60_000, "warm_up": 5_000},
    )
    rule = pull_rule(lay_out(scenario), levels={"making": float(level)})
    _, outcome = simulate(scenario, rule, episodes)
    assert_contains(outcome.cost[0], exact, widest)


def test_a_queue_with_few_places_blocks_and_fills_as_the_formula_says() -> None:
    """M/M/1/K (Kleinrock 1975, section 3.6): arrivals stock an item, lost demand serves it."""
    rho, places = 0.8, 5
    share = (1 - rho) * rho ** np.arange(places + 1) / (1 - rho ** (places + 1))
    blocking, length = share[-1], float(share @ np.arange(places + 1))
    assert (blocking, length) == pytest.approx((0.08881950, 1.86833203), abs=5e-9)
    scenario = plant(
        items={"queue": {"storage": places}},
        work_centers={"street": {"time": event(rho)}},
        sources={"arriving": {"makes": "queue", "at": "street", "time_per_unit": 1}},
        demands={"server": {"item": "queue", "quantity": event(1), "unmet": "lost"}},
        horizon={"ongoing": 20_000, "warm_up": 500},
    )
    layout, outcome = simulate(scenario, pull_rule(lay_out(scenario)), episodes=512)  # push
    came = flow(layout, outcome, "street.available")
    entered = flow(layout, outcome, "arriving.granted")
    assert_contains(1 - entered / came, blocking, widest=0.015)
    assert_contains(flow(layout, outcome, "queue.on_hand") / 19_500, length, widest=0.005)
    # A server without customers idles: it serves what entered, except for those still inside.
    assert np.abs(flow(layout, outcome, "server.served") - entered).max() <= places


# --- a line with a small buffer -------------------------------------------------------------------


def bernoulli_line_throughput(p1: float, p2: float, places: int) -> float:
    """Throughput of two Bernoulli machines (Li and Meerkov 2009, chapter 4) by its Markov chain.

    A cycle: machine 2 takes a part if there is one and it is up; then machine 1 fills if there is
    room and it is up.
    """
    chain = np.zeros((places + 1, places + 1))
    for stock in range(places + 1):
        for takes in (0, 1):
            after = stock - takes * (stock > 0)
            for fills in (0, 1):
                then = after + fills * (after < places)
                p = (p2 if takes else 1 - p2) * (p1 if fills else 1 - p1)
                chain[stock, then] += p
    balance = np.vstack([chain.T - np.eye(places + 1), np.ones(places + 1)])
    share = np.linalg.lstsq(balance, np.eye(places + 2)[-1], rcond=None)[0]
    return float(p2 * (1 - share[0]))


@pytest.mark.parametrize(
    ("p1", "p2", "places", "printed"),
    [(0.9, 0.9, 1, 0.81818182), (0.9, 0.8, 2, 0.77870216), (0.7, 0.7, 10, 0.67961165)],
)
def test_the_bernoulli_line_has_the_throughput_of_the_formula(
    p1: float, p2: float, places: int, printed: float
) -> None:
    """Our period is the same cycle, starting in its middle: machine 1 fills, then 2 takes."""
    exact = bernoulli_line_throughput(p1, p2, places)
    assert exact == pytest.approx(printed, abs=5e-9)

    def up(p: float) -> dict[str, Any]:
        return {"distribution": "binomial", "trials": 1, "probability": p}

    scenario = plant(
        items={"buffer": {"storage": places}},
        work_centers={"machine_1": {"time": up(p1)}},
        sources={"filling": {"makes": "buffer", "at": "machine_1", "time_per_unit": 1}},
        demands={"machine_2": {"item": "buffer", "quantity": up(p2), "unmet": "lost"}},
        horizon={"ongoing": 10_000, "warm_up": 500},
    )
    layout, outcome = simulate(scenario, pull_rule(lay_out(scenario)), episodes=128)
    assert_contains(flow(layout, outcome, "machine_2.served") / 9_500, exact, widest=0.003)


# --- Little's law ---------------------------------------------------------------------------------


class Units:
    """The entry times of the cars of the kanban line, first in, first out."""

    STAGES = (("mill", "steel"), ("pressing", "panel"), ("welding", "frame"), ("finishing", "car"))

    def __init__(self, probe: Probe) -> None:
        self.waiting = {item: deque([0] * int(probe[f"{item}.stock"])) for _, item in self.STAGES}
        self.coming: deque[int] = deque()  # ordered from the mill, oldest first
        self.flow_times: list[int] = []

    def move(self, period: int, flows: dict[str, float]) -> None:
        """Follow a period's flows: Start, Serve, Receive."""
        self.coming.extend([period] * int(flows["mill.granted"]))
        started = {
            source: [
                self.waiting[material].popleft() for _ in range(int(flows[f"{source}.granted"]))
            ]
            for (_, material), (source, _) in zip(self.STAGES, self.STAGES[1:], strict=False)
        }
        for source, item in self.STAGES[1:]:
            self.waiting[item].extend(started[source])
        for _ in range(int(flows["customers.served"])):
            self.flow_times.append(period - self.waiting["car"].popleft())
        for _ in range(int(flows["mill.received"])):
            self.waiting["steel"].append(self.coming.popleft())

    def still_here(self, period: int) -> list[int]:
        """Return how long the cars that are still inside have been there."""
        inside = [*self.coming, *(unit for queue in self.waiting.values() for unit in queue)]
        return [period - entered for entered in inside]


def test_the_law_of_little_holds_on_the_kanban_line() -> None:
    """WIP = throughput x flow time (Little 1961), with flow times of units followed one by one."""
    probe = Probe(load("kanban-line"), seed=11)
    units, lying, periods = Units(probe), 0.0, 4000
    most = {"mill": 72, "pressing": 48, "welding": 48, "finishing": 60}
    for period in range(periods):
        held = {s: probe[f"{item}.stock"] + probe[f"{s}.in_process"] for s, item in units.STAGES}
        flows = probe.step(**{source: most[source] - held[source] for source in most})
        units.move(period, flows)
        lying += flows["mill.in_process"]
        lying += sum(flows[f"{item}.on_hand"] for _, item in units.STAGES)
    # Exactly: each period that a unit spent inside was counted once.
    assert lying == sum(units.flow_times) + sum(units.still_here(periods))
    throughput, flow_time = len(units.flow_times) / periods, np.mean(units.flow_times)
    assert lying / periods == pytest.approx(throughput * flow_time, rel=0.005)
    assert throughput == pytest.approx(8, rel=0.05)  # the line is running
