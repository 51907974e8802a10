"""Documents that could cause a hang, crash or overflow load quickly, or give one clear message."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from jitgym import documents
from jitgym.catalog import load
from jitgym.control import ViewLayout, echelon_matrix, pull_rule
from jitgym.errors import ScenarioError
from jitgym.plant import lay_out
from jitgym.scenario import Demand, Scenario

POISSON = {"distribution": "poisson", "mean": 5}


def plant(**sections: Any) -> dict[str, Any]:
    """A small plant as a document, with some sections replaced."""
    return {
        "name": "plant",
        "period": "one day",
        "horizon": {"ongoing": 100},
        "items": {"milk": {}},
        "sources": {"dairy": {"makes": "milk"}},
        "demands": {"customers": {"item": "milk", "quantity": POISSON, "unmet": "lost"}},
    } | sections


def seconds(what: Callable[[], object]) -> float:
    began = time.process_time()
    what()
    return time.process_time() - began


# Syntax


BOMBS = {
    "brackets": "[" * 50_000,
    "closed brackets": "a: " + "[" * 50_000 + "]" * 50_000,
    "mappings": "{a: " * 50_000,
    "lists": "- " * 50_000,
    "levels": "\n".join(" " * k + "a:" for k in range(2_000)),
    "aliases": "a: &a [x, x]\n" + "\n".join(
        f"{chr(98 + k)}: &{chr(98 + k)} [*{chr(97 + k)}, *{chr(97 + k)}]" for k in range(20)
    ),
    "an alias of itself": "a: &a [*a]",
    "merge keys": "a: &a {b: 1}\nc: {<<: *a}",
    "a merge key without an alias": "a: {<<: {b: 1}}",
    "a tag": "a: !!python/object/apply:os.system [ls]",
    "a set": "a: !!set {b, c}",
    "digits": "a: " + "9" * 100_000,
    "sixtieths": "a: " + ":".join(["59"] * 10_000),
    "two documents": "a: 1\n---\nb: 2",
    "a list as a key": "? [a, b]\n: 1",
    "a control character": "a: \x07",
    "a null character": "a: \0",
    "half a character": "a: \ud800",
    "a large document": "a: 1\n" * 1_000_001,
    "one long name": f"{'a' * 1_000_000}: 1\n{'a' * 1_000_000}: 1",
}  # fmt: skip


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_yaml_is_read_in_proportion_to_its_length_or_refused(text: str) -> None:
    began = time.process_time()
    with pytest.raises(ScenarioError) as caught:
        documents.read(text, "plant.yaml")
    assert time.process_time() - began < 1.0
    assert str(caught.value).startswith("plant.yaml")
    assert "expected" in str(caught.value)
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "large.yaml").open("wb") as file:
        file.truncate(10**12)  # sparse
    with pytest.raises(ScenarioError, match=r"has 1,000,000,000,000 bytes; expected a YAML file"):
        load(tmp_path / "large.yaml")


def test_documents_are_read_as_pyyaml_reads_them() -> None:
    """Every scenario of the catalog, and every kind of scalar."""
    from jitgym import catalog

    texts = [catalog.text(name) for name in catalog.names()]
    texts.append("a: [1, -2, 0x1F, 1_000, 1.5, .5, 1e3, 1.0e+3, ~, null, yes, 'no', \"x\\ty\"]")
    texts.append("a: [2024-01-02, 08, '012', !!str 7, .inf]\nb: |\n  two\n  lines\nc:\nd: {}")
    for text in texts:
        assert documents.read(text, "x").data == yaml.safe_load(text)


# Size


def two_echelons(items: int) -> dict[str, Any]:
    """Shops come before warehouses, which is the slow order for a naive sort."""
    names = range(items // 2)
    return plant(
        items={f"shop_{k}": {} for k in names} | {f"warehouse_{k}": {} for k in names},
        sources={
            f"move_{k}": {"makes": f"shop_{k}", "consumes": {f"warehouse_{k}": 1}, "lead_time": 1}
            for k in names
        }
        | {f"buy_{k}": {"makes": f"warehouse_{k}", "lead_time": 2} for k in names},
        demands={f"at_{k}": {"item": f"shop_{k}", "quantity": 2, "unmet": "lost"} for k in names},
    )


def everything(data: dict[str, Any]) -> None:
    """Load a plant, lay it out, and compute all that rules and environments need."""
    scenario = Scenario.from_document(data)
    layout = lay_out(scenario)
    assert len(ViewLayout(layout).positions) > len(scenario.items)
    pull_rule(layout, levels=dict.fromkeys(scenario.sources, 3.0))
    for source in scenario.sources:
        assert scenario.order_bound(source) > 0
        assert scenario.route(source)
    for item in scenario.items:
        assert math.isfinite(scenario.mean_requirement(item))
        assert scenario.unit_cost(item) >= 0


def test_a_plant_of_many_items_loads_in_time_proportional_to_their_number() -> None:
    everything(two_echelons(10))
    few, many = (seconds(lambda n=n: everything(two_echelons(n))) for n in (100, 800))
    assert many < 24 * few  # eight times the items; cubic would be 512
    assert many < 8.0


def test_no_path_through_a_bill_of_materials_is_followed_twice() -> None:
    """Every item goes into all later ones, so that 2^58 paths lead from the first to the last."""
    items = [f"item_{k}" for k in range(60)]
    data = plant(
        items={item: {} for item in items},
        sources={
            f"make_{item}": {"makes": item, "consumes": dict.fromkeys(items[:k], 1)}
            for k, item in enumerate(items)
        },
        demands={"all": {"item": items[-1], "quantity": 2, "unmet": "lost"}},
    )
    assert seconds(lambda: everything(data)) < 5.0
    scenario = Scenario.from_document(data)
    assert scenario.mean_requirement(items[0]) == 2 * 2.0**58
    assert echelon_matrix(scenario)[0, -1] == 2.0**58


def chain(length: int, units: float) -> dict[str, Any]:
    """Return a plant of items that are each made of this many units of the item before."""
    return plant(
        items={f"item_{k}": {} for k in range(length)},
        sources={
            f"make_{k}": {"makes": f"item_{k}", "consumes": {f"item_{k - 1}": units} if k else {}}
            for k in range(length)
        },
        demands={"all": {"item": f"item_{length - 1}", "quantity": 2, "unmet": "lost"}},
    )


def test_a_chain_of_a_thousand_items_needs_no_deep_recursion() -> None:
    data = chain(1_000, units=1)
    scenario = Scenario.from_document(data)
    assert scenario.mean_requirement("item_0") == 2
    assert len(scenario.route("make_0")) == 1_000
    data["sources"]["make_0"]["consumes"] = {"item_999": 1}
    with pytest.raises(ScenarioError, match=r"closes a cycle .*item_0 -> .* -> item_0; expected"):
        Scenario.from_document(data)


def test_quantities_whose_product_is_too_large_are_refused() -> None:
    with pytest.raises(
        ScenarioError, match=r"items\.item_\d+: goes .* with more than 1e\+100 units"
    ):
        Scenario.from_document(chain(30, units=1e14))


REGIMES = {
    "distribution": "regimes",
    "regimes": {f"r{k}": k for k in range(5_000)},
    "stay": {f"r{k}": 0.5 for k in range(5_000)},
}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"demands.customers.seasons": {"factors": [1, 2], "periods": 10**7}},
         "after 20,000,000 periods; expected at most 100,000"),
        ({"demands.customers.seasons": {"factors": [1, 2], "periods": 49_999},
          "demands.customers.pattern": [1.0, 1.0, 1.0]}, "after 299,994 periods"),
        ({"demands.customers.pattern": [1e9]}, "spreads over more than"),
        ({"demands.customers.pattern": [1 + k / 1e4 for k in range(3_000)],
          "demands.customers.quantity.mean": 1e5}, "distributions with more than 4,000,000 values"),
        ({"items.milk.shelf_life": 10**6}, "shelf_life: is 1000000; expected at most 1000"),
        ({"sources.dairy.lead_time": 10**6}, "lead_time: takes up to 1e+06 periods; expected at"),
        ({"sources.dairy.lead_time": {"distribution": "poisson", "mean": 1e6}}, "lead_time"),
        ({"horizon": {"season": 10**9}}, "season: is 1000000000; expected at most 1e+06"),
        ({"demands.customers.quantity": REGIMES}, "regimes: has 5000; expected at most 100"),
        ({"streams": {"all": {"quantity": 10**6}}, "demands.customers.quantity":
          {"distribution": "part-of", "stream": "all", "share": 0.5}}, "too many to share"),
        ({"sources.dairy.lot_size": 1e-300}, "lot_size: is 1e-300; expected at least 1e-12"),
        ({"projects": {"faster": {"cost": 1, "improves": {"sources.dairy.setup_cost": math.nan}}},
          "sources.dairy.setup_cost": 5}, "is nan; expected a finite number"),
    ],
)  # fmt: skip
def test_a_document_that_needs_too_much_time_or_memory_is_refused_with_its_size(
    changed: dict[str, Any], said: str
) -> None:
    data = copy.deepcopy(plant())
    for path, value in changed.items():
        documents.put(data, path, value)
    began = time.process_time()
    with pytest.raises(ScenarioError) as caught:
        Scenario.from_document(data)
    assert said in str(caught.value)
    assert time.process_time() - began < 2.0


def test_demands_whose_cycles_together_are_too_long_are_refused() -> None:
    demand = {"item": "milk", "quantity": POISSON, "unmet": "lost"}
    primes = (89, 97, 101)
    demands = {f"d{n}": demand | {"pattern": [1.0] * n} for n in primes}
    with pytest.raises(ScenarioError, match="repeat after 871,933 periods"):
        Scenario.from_document(plant(demands=demands))


# Numbers


UP_DOWN = {"fails": 0.1, "repaired": 0.5}
DISTRIBUTIONS = {
    "poisson": POISSON,
    "geometric": {"distribution": "geometric", "mean": 4},
    "negative-binomial": {"distribution": "negative-binomial", "mean": 5, "size": 1.5},
    "uniform": {"distribution": "uniform", "low": 2, "high": 4},
    "gamma": {"distribution": "gamma", "mean": 15, "cv": 0.8},
    "normal": {"distribution": "normal", "mean": 8, "standard_deviation": 5},
    "binomial": {"distribution": "binomial", "trials": 20, "probability": 0.7},
    "finite": {"distribution": "finite", "values": [1, 2], "probabilities": [0.5, 0.5]},
    "event": {"distribution": "event", "rate": 1, "clock": "tick"},
    "intermittent": {"distribution": "intermittent", "probability": 0.3, "quantity": 7},
    "regimes": {"distribution": "regimes", "regimes": {"a": 2, "b": POISSON},
                "stay": {"a": 0.9, "b": 0.5}},
    "life-cycle": {"distribution": "life-cycle", "mean": 60, "standard_deviation_of_level": 30,
                   "shares": [0.5, 0.5], "first": 3},
    "part-of": {"distribution": "part-of", "stream": "whole", "share": 0.5},
}  # fmt: skip
FULL = plant(
    periods_per_year=52,
    unit="litres",
    within=[0, 2],
    words={"fill_rate": "share served fresh"},
    horizon={"ongoing": 100, "warm_up": 10, "training": 50},
    discount=0.9,
    items={
        "steel": {"holding_cost": 1, "value": 2, "storage": 900, "initial_stock": 3,
                  "shelf_life": 4, "obsolescence": 0.1, "disposal_cost": 1, "salvage_value": 1},
        "milk": {},
    },
    work_centers={"press": {"time": 40, "breakdown": UP_DOWN, "overtime": {"time": 2, "cost": 3}}},
    sources={
        "mill": {"makes": "steel", "lead_time": 2, "lot_size": 2, "minimum_order": 2,
                 "maximum_order": 900, "unit_cost": 1, "shipment_cost": 5, "pays_after": 1,
                 "in_process_holding_cost": 1, "carrier": "truck", "emissions_per_unit": 1,
                 "emissions_per_shipment": 1, "disruption": UP_DOWN, "setup_cost": 4,
                 "quality": {"defects": 0.1, "drifts": 0.1, "drifted_defects": 0.5, "escapes": 0.1},
                 "partial": {"share": 0.5},
                 "commitment": {"quantity": 30, "every": 4, "shortfall_cost": 2}},
        "dairy": {"makes": "milk", "consumes": {"steel": 1}, "at": "press", "time_per_unit": 1,
                  "setup_time": 1, "setup_scrap": 2},
    },
    streams={"whole": {"quantity": 12}},
    carriers={"truck": {"cost": 3, "emissions": 1, "capacity": 8}},
    projects={"faster": {"cost": 1, "improves": {"sources.mill.setup_cost": 1}, "slows": "press",
                         "slowed_by": 0.1, "periods": 3}},
    emission_price=1,
    actions={"maximum_order": {"mill": 90}, "maximum_level": {"milk": 90}},
    known_optimum={"cost": 3, "source": "ours"},
    demands={
        name: {"item": "milk", "quantity": quantity, "unmet": "lost", "price": 3}
        for name, quantity in DISTRIBUTIONS.items()
    } | {
        "waiting": {"item": "milk", "quantity": POISSON, "unmet": {"backordered": 0.5},
                    "shortage_cost": 2, "abandons": 0.1, "abandonment_cost": 2, "pays_after": 2,
                    "pattern": [1, 2], "seasons": {"factors": [1, 2], "periods": 3}},
        "known ahead": {"item": "milk", "quantity": POISSON, "unmet": "lost",
                        "forecast": {"method": "revealed", "shares": [0.5, 0.2]}},
    },
)  # fmt: skip
HOSTILE = (math.nan, math.inf, -math.inf, 1e308, -1e308, -1, 10**30, 10**400, 2**63, 1e15, 5e-324)


def numbers(node: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all numbers of a document."""
    if isinstance(node, dict | list):
        for key, inner in node.items() if isinstance(node, dict) else enumerate(node):
            yield from numbers(inner, (*place, key))
    elif isinstance(node, int | float):
        yield place


def test_the_full_plant_has_every_field_and_distribution() -> None:
    Scenario.from_document(FULL)
    places = documents.read(documents.write(FULL), "full").lines
    fields = {path.rpartition(".")[2] for path in documents.field_paths(Scenario)}
    without_numbers = {"by_product", "crossover", "issuing", "paid", "parameters", "per", "rest"}
    without_numbers |= {"currency", "tags", "title"}
    assert fields - {key for place in places for key in place} == without_numbers | {"season"}
    assert set(documents.kinds(Demand, "quantity")) - DISTRIBUTIONS.keys() == {
        "deterministic",
        "recorded",
    }


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
def test_a_hostile_number_in_any_field_is_refused_or_harmless(value: float) -> None:
    for place in numbers(FULL):
        data = copy.deepcopy(FULL)
        node = data
        for key in place[:-1]:
            node = node[key]
        node[place[-1]] = value
        began = time.process_time()
        try:
            scenario = Scenario.from_document(data, "full")
            lay_out(scenario)
            figures = [*map(scenario.mean_requirement, scenario.items), scenario.reward_scale]
            told = "full: " if math.isfinite(value) and abs(value) < 1e300 else "nothing"
        except ScenarioError as error:
            told, figures = str(error), []
        assert told.startswith("full: "), (place, told)
        assert len(told) < 500
        assert all(map(math.isfinite, figures)), place
        assert time.process_time() - began < 2.0, place
