"""Published optima and policy costs of small rows; scripts/validate.py computes all rows."""

import pytest

import agents
import jitgym
from agents.classic.pull import clark_scarf
from agents.tuning.exactly import tune_exactly
from jitgym import exact
from tests.tables import published


def numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


LOST_SALES = [
    row
    for row in published("lost_sales.csv")
    if (row["demand"], row["lead_time"]) != ("geometric", "4")  # up to two million decisions
]


@pytest.mark.parametrize("row", LOST_SALES, ids=lambda row: "-".join(list(row.values())[:5]))
def test_optima_of_lost_sales_are_the_published_ones(row: dict[str, str]) -> None:
    """Zipkin (2008)."""
    given = {name: float(row[name]) for name in ("mean", "holding", "penalty")}
    scenario = jitgym.load(
        "lost-sales", demand=row["demand"], lead_time=int(row["lead_time"]), **given
    )
    solution = exact.solve(scenario)
    assert solution.cost == pytest.approx(float(row["rederived_optimum"]), abs=1e-5)
    assert solution.upper - solution.lower < 1e-6
    policy = agents.make("base-stock", scenario, level=int(row["base_stock_level"]))
    value = exact.evaluate(policy, scenario)
    assert value.cost == pytest.approx(float(row["base_stock_cost"]), abs=1e-5)


@pytest.mark.parametrize(
    "row", published("s_S_zheng_federgruen.csv")[:3], ids=lambda r: r["poisson_mean"]
)
def test_optima_with_a_fixed_cost_are_the_published_ones(row: dict[str, str]) -> None:
    """Zheng and Federgruen (1991)."""
    solution = exact.solve(jitgym.load("fixed-cost", poisson_mean=float(row["poisson_mean"])))
    assert solution.cost == pytest.approx(float(row["cost"]), abs=6e-4)


@pytest.mark.parametrize(
    "row", published("dual_sourcing.csv")[:2], ids=lambda r: r["expedited_unit_cost"]
)
def test_optima_of_dual_sourcing_are_the_published_ones(row: dict[str, str]) -> None:
    """Gijsbrechts et al. (2022)."""
    names = ("regular_unit_cost", "expedited_unit_cost", "holding", "backorder")
    given = {name: float(row[name]) for name in names}
    solution = exact.solve(jitgym.load("dual-sourcing", **given))
    assert solution.cost == pytest.approx(float(row["optimum_total"]), abs=1e-5)


DUAL_SOURCING = [  # parameters that no neighbor beats
    ("105", "tailored-base-surge", {"order": 1, "level": 4}),
    ("105", "single-index", {"expedited_level": 5, "regular_level": 6}),
    ("105", "dual-index", {"expedited_level": 4, "regular_level": 7}),
    ("105", "capped-dual-index", {"expedited_level": 4, "regular_level": 7, "cap": 2}),
    ("110", "tailored-base-surge", {"order": 1, "level": 4}),
    ("110", "single-index", {"expedited_level": 6, "regular_level": 8}),
    ("110", "dual-index", {"expedited_level": 4, "regular_level": 8}),
    ("110", "capped-dual-index", {"expedited_level": 4, "regular_level": 8, "cap": 2}),
]


@pytest.mark.parametrize(("cost", "name", "parameters"), DUAL_SOURCING)
def test_classic_policies_of_dual_sourcing_cost_what_is_published(
    cost: str, name: str, parameters: dict[str, int]
) -> None:
    """Their gaps, in percent of the total cost."""
    (row,) = [
        one for one in published("dual_sourcing.csv")[:2] if one["expedited_unit_cost"] == cost
    ]
    scenario = jitgym.load("dual-sourcing", expedited_unit_cost=float(cost))
    tuned = tune_exactly(name, scenario, start=parameters)
    assert tuned.parameters == parameters
    gap = 100 * (tuned.value.cost / float(row["optimum_total"]) - 1)
    assert gap == pytest.approx(float(row[f"{name.replace('-', '_')}_gap_pct"]), abs=0.05)


def test_costs_of_the_two_station_tandem_are_the_published_ones() -> None:
    """The family of Veatch and Wein (1994): its first row, all columns."""
    row = published("two_station_tandem.csv")[0]
    scenario = jitgym.load("tandem")
    solution = exact.solve(scenario)
    assert solution.cost == pytest.approx(float(row["rederived_optimum"]), abs=1e-4)
    for name, parameters, column in (
        ("kanban", {"cards": numbers(row["kanban_cards"])}, "kanban_cost"),
        ("base-stock", {"levels": numbers(row["base_stock_levels"])}, "base_stock_cost"),
        ("conwip", {"cards": float(row["conwip_cards"])}, "conwip_cost"),
    ):
        value = exact.evaluate(agents.make(name, scenario, **parameters), scenario)
        assert value.cost == pytest.approx(float(row[column]), abs=1e-4)


def test_three_stages_in_series_cost_what_clark_and_scarf_say() -> None:
    """Clark and Scarf (1960): echelon base-stock is optimal, at the cost of the recursion."""
    scenario = jitgym.load("serial-system", mean=0.25)  # 5 in the textbook: too large to solve
    orders, positions = dict.fromkeys(scenario.sources, 5), dict.fromkeys(scenario.items, 9)
    box = exact.Bounds(orders, positions, {"customers": 12}, False)
    levels, cost = clark_scarf.exact(scenario)
    cost -= 1 * 0.25 * 4  # constant: no unit is in transit to the last stage
    solution = exact.solve(scenario, bounds=box)
    assert cost - 1e-8 <= solution.upper
    assert solution.cost == pytest.approx(cost, abs=5e-6)  # a narrow box
    value = exact.evaluate(agents.make("clark-scarf", scenario), scenario)
    assert value.cost == pytest.approx(cost, abs=1e-6)
    assert levels == {"deliver": 1.0, "forward": 2.0, "supply": 2.0}


@pytest.mark.parametrize("number", [0, 1, 4, 8])
def test_optima_of_perishable_items_are_the_published_ones(number: int) -> None:
    """De Moor et al. (2022): the value-iteration policy under the table's protocol."""
    row = published("perishable.csv")[number]
    scenario = jitgym.load(
        "perishable",
        shelf_life=int(row["shelf_life"]),
        lead_time=int(row["lead_time"]),
        waste_cost=float(row["waste_cost"]),
        issuing=row["issuing"].lower(),
    )
    solution = exact.solve(scenario)
    assert solution.cost == pytest.approx(-float(row["value_iteration_return"]), abs=1)
    assert solution.lower <= solution.cost
