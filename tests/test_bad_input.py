"""Bad input gives one clear message with the file, the line, the place and what was expected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jitgym import catalog
from jitgym.catalog import load
from jitgym.errors import ScenarioError
from jitgym.scenario import Scenario

LINE = """\
name: small-line
period: one hour
horizon: {ongoing: 100, warm_up: 20}
items:
  steel: {holding_cost: 0.5}
  panel: {holding_cost: 1}
work_centers:
  press:
    time: 12
    breakdown: {fails: 0.02, repaired: 0.25}
sources:
  mill:
    makes: steel
    lead_time: {distribution: uniform, low: 2, high: 4}
  pressing: {makes: panel, consumes: {steel: 1}, at: press, time_per_unit: 1}
demands:
  customers:
    item: panel
    quantity: {distribution: poisson, mean: 9}
    unmet: backordered
    shortage_cost: 40
parameters:
  penalty: demands.customers.shortage_cost
"""

FAULTS = {
    "unknown key": (
        "steel: {holding_cost: 0.5}",
        "steel: {holdng_cost: 0.5}",
        5,
        r"items.steel.holdng_cost: unknown key; expected one of holding_cost, .*"
        r"\(did you mean 'holding_cost'\?\)",
    ),
    "unknown key at the top": ("period:", "perod:", 2, "perod: unknown key; expected one of name"),
    "unknown key of a distribution": (
        "mean: 9",
        "meen: 9",
        19,
        r"demands.customers.quantity.meen: unknown key; .*did you mean 'mean'.*\(and 1 more\)",
    ),
    "surplus key of a distribution": (
        "mean: 9",
        "mean: 9, size: 2",
        19,
        "demands.customers.quantity.size: unknown key; expected one of distribution, mean",
    ),
    "duplicate key": (
        "  panel: {holding_cost: 1}",
        "  steel: {holding_cost: 1}",
        6,
        "items.steel: duplicate key, first on line 5; expected it once",
    ),
    "missing key": (
        "    unmet: backordered\n",
        "",
        17,
        "demands.customers.unmet: is missing; expected a value",
    ),
    "negative capacity": ("time: 12", "time: -3", 9, "press.time: is -3; expected at least 0"),
    "capacity in words": ("time: 12", "time: twelve", 9, "press.time: is 'twelve'; expected a num"),
    "number that YAML reads as text": ("cost: 40", "cost: 1e3", 21, r"is '1e3'; .*write 1000.0"),
    "truth in place of a number": ("cost: 40", "cost: no", 21, "is False; expected a number"),
    "infinite cost": ("cost: 40", "cost: .inf", 21, "expected a finite number"),
    "chance above 1": ("fails: 0.02", "fails: 2", 10, "breakdown.fails: is 2; expected at most 1"),
    "part of a period": ("ongoing: 100", "ongoing: 0.5", 3, "is 0.5; expected a whole number"),
    "warm-up without end": (
        "warm_up: 20",
        "warm_up: 100",
        3,
        "warm_up: is 100; expected less than",
    ),
    "unknown distribution": (
        "distribution: poisson",
        "distribution: poison",
        19,
        "quantity: unknown distribution 'poison'; expected 'deterministic', 'poisson'",
    ),
    "distribution without a name": (
        "distribution: poisson, ",
        "",
        19,
        "quantity: is a mapping; expected a number, or a mapping such as",
    ),
    "unmet in other words": (
        "unmet: backordered",
        "unmet: waits",
        20,
        "unmet: is 'waits'; expected 'backordered' or 'lost'",
    ),
    "text in place of a part": ("  press:\n", "  press: fast\n  weld:\n", 8, "press: is 'fast'; "),
    "demand on an item that no source makes": (
        "pressing: {makes: panel, consumes: {steel: 1}",
        "pressing: {makes: steel",
        18,
        "demands.customers.item: demands 'panel', which no source makes; expected a source that",
    ),
    "unknown item": (
        "makes: steel",
        "makes: stel",
        13,
        "sources.mill.makes: names the unknown item 'stel'; did you mean 'steel'",
    ),
    "unknown material": ("{steel: 1}", "{iron: 1}", 15, "consumes.iron: names the unknown item"),
    "unknown work center": (
        "at: press",
        "at: weld",
        15,
        "at: names the unknown work center 'weld'",
    ),
    "time nowhere": (", at: press", "", 15, "pressing.at: is missing, but the source takes time"),
    "cycle in the bill of materials": (
        "    makes: steel",
        "    makes: steel\n    consumes: {panel: 1}",
        16,
        "sources.pressing.consumes.steel: closes a cycle in the bill of materials, "
        "steel -> panel -> steel; expected no item that goes into itself",
    ),
    "decreasing hazard without crossover": (
        "{distribution: uniform, low: 2, high: 4}",
        "{distribution: finite, values: [2, 3, 4], probabilities: [0.5, 0.1, 0.4]}",
        14,
        "sources.mill.lead_time: has a hazard .* decreases.*; expected a non-decreasing hazard, or "
        "crossover: true",
    ),
    "random lead time of 0": (
        "low: 2",
        "low: 0",
        14,
        "lead_time: is random and can be 0; expected at least 1",
    ),
    "lead time in parts of a period": (
        "{distribution: uniform, low: 2, high: 4}",
        "2.5",
        14,
        "lead_time: is not in whole periods; expected integers",
    ),
    "probabilities that do not sum to 1": (
        "{distribution: uniform, low: 2, high: 4}",
        "{distribution: finite, values: [2, 3], probabilities: [0.5, 0.4]}",
        14,
        "lead_time.probabilities: sum to 0.9; expected 1",
    ),
    "no values": (
        "{distribution: uniform, low: 2, high: 4}",
        "{distribution: finite, values: [], probabilities: []}",
        14,
        "lead_time.values: is empty; expected at least one entry",
    ),
    "maximum below the minimum": (
        "    makes: steel",
        "    makes: steel\n    minimum_order: 8\n    maximum_order: 4",
        15,
        "mill.maximum_order: is 4; expected at least minimum_order, which is 8",
    ),
    "maximum below a lot": (
        "    makes: steel",
        "    makes: steel\n    lot_size: 6\n    maximum_order: 4",
        15,
        "mill.maximum_order: is 4; expected at least lot_size, which is 6",
    ),
    "clock without events": (
        "{distribution: poisson, mean: 9}",
        "{distribution: event, rate: 0, clock: tick}",
        19,
        "demands.customers.quantity: the rates of clock 'tick' sum to 0; expected a sum above 0",
    ),
    "forecast without records": (
        "    unmet: backordered",
        "    unmet: backordered\n    forecast: {method: exponential-smoothing}",
        21,
        "forecast: exponential-smoothing needs records; expected it with recorded demand only",
    ),
    "parameter that leads nowhere": (
        "penalty: demands.customers.shortage_cost",
        "penalty: demands.customers.shortage",
        23,
        "parameters.penalty: leads to 'demands.customers.shortage', which does not exist; expected",
    ),
    "reserved parameter": (
        "  penalty:",
        "  control:",
        23,
        "parameters.control: is a reserved word",
    ),
    "name with a dot": (
        "  mill:",
        "  mill.one:",
        12,
        "is not a valid name; expected text without a dot",
    ),
    "name that YAML reads otherwise": (
        "  mill:",
        "  no:",
        12,
        "reads this key as bool; expected te",
    ),
    "action on an unknown source": (
        "parameters:",
        "actions: {maximum_order: {mil: 3}}\nparameters:",
        22,
        "actions.maximum_order.mil: names the unknown source 'mil'; did you mean 'mill'",
    ),
    "alias": (
        "  panel: {holding_cost: 1}",
        "  panel: &same {holding_cost: 1}\n  frame: *same",
        7,
        r"items.frame: an alias \(\*\); expected the value itself",
    ),
    "minimum order in whole lots": (
        "makes: steel\n",
        "makes: steel\n    lot_size: 12\n    minimum_order: 15\n    maximum_order: 20\n",
        16,
        "maximum_order: is 20; expected at least 24, the minimum order in whole lots",
    ),
    "lead time without end": (
        "{distribution: uniform, low: 2, high: 4}",
        "1e10",
        14,
        "lead_time",
    ),
    "parameter named after a section": (
        "penalty: demands",
        "items: demands",
        23,
        "parameters.items: is a reserved word; expected another name",
    ),
    "broken YAML": ("horizon: {ongoing: 100,", "horizon: [ongoing: 100,", 3, "expected valid YAML"),
}


def message(file: Path, **overrides: Any) -> str:
    with pytest.raises(ScenarioError) as caught:
        load(file, **overrides)
    assert isinstance(caught.value, ValueError)
    assert caught.value.__cause__ is None
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(("good", "bad", "line", "expectation"), FAULTS.values(), ids=FAULTS)
def test_a_message_names_the_file_line_place_and_expectation(
    good: str, bad: str, line: int, expectation: str, tmp_path: Path
) -> None:
    assert LINE.count(good) >= 1
    file = tmp_path / "plant.yaml"
    file.write_text(LINE)
    load(file)
    file.write_text(LINE.replace(good, bad, 1))
    text = message(file)
    assert text.startswith(f"{file}, line {line}: ")
    assert pytest.RaisesExc(ScenarioError, match=expectation).matches(ScenarioError(text)), text


@pytest.mark.parametrize(
    ("content", "expectation"),
    [
        (b"", "line 1: is empty; expected names with their values"),
        (b"[1, 2]", "line 1: is a list; expected names with their values"),
        (b"\xff\xfe\x00", "expected YAML text"),
        (b"a: 2024-99-99", "expected valid YAML"),
    ],
)
def test_a_file_that_is_not_a_scenario_is_refused(
    content: bytes, expectation: str, tmp_path: Path
) -> None:
    file = tmp_path / "plant.yaml"
    file.write_bytes(content)
    text = message(file)
    assert text.startswith(str(file))
    assert expectation in text


def test_a_scenario_in_python_gets_the_same_message_without_a_line() -> None:
    data = {**load("lost-sales").document(), "horizon": {"ongoing": -1}}
    with pytest.raises(ScenarioError, match=r"^mine: horizon.ongoing: is -1; expected at least 1"):
        Scenario.from_document(data, name="mine")


ROWS = ["date,item,quantity", "2024-01-01,a,1", "2024-01-08,a,2", "2024-01-01,b,3"]

RECORDS = {
    "missing column": (
        0,
        "date,item,amount",
        "line 1: missing column 'quantity'; expected the col",
    ),
    "negative quantity": (
        2,
        "2024-01-08,a,-2",
        "line 3: quantity is '-2'; expected a number of at",
    ),
    "no number": (3, "2024-01-08,b,few", "line 4: quantity is 'few'; expected a number"),
    "not finite": (3, "2024-01-15,b,nan", "line 4: quantity is 'nan'; expected a number"),
    "short row": (3, "2024-01-15,b", "line 4: has 2 cells; expected 3, as the first line has"),
    "bad date": (2, "08/01/2024,a,2", "line 3: date is '08/01/2024'; expected YYYY-MM-DD"),
    "repeated date": (2, "2024-01-01,a,2", "line 3: a second row of 'a' on 2024-01-01; expected 1"),
}


def recorded(folder: Path, quantity: str) -> Path:
    file = folder / "shop.yaml"
    text = catalog.text("recorded-retail").partition("    quantity:\n")[0]
    text += f"    quantity: {quantity}\n    unmet: lost\n"
    text = text.replace("{ongoing: 52, warm_up: 8}", "{ongoing: 2}")
    file.write_text(text)
    return file


QUANTITY = (
    "{distribution: recorded, file: sales.csv, item: a, "
    "splits: {train: {from: 2024-01-01, to: 2024-01-10}}}"
)


@pytest.mark.parametrize(("row", "text", "expectation"), RECORDS.values(), ids=RECORDS)
def test_a_fault_in_a_record_names_the_file_and_line_of_the_record(
    row: int, text: str, expectation: str, tmp_path: Path
) -> None:
    file = recorded(tmp_path, QUANTITY)
    rows = list(ROWS)
    (tmp_path / "sales.csv").write_text("\n".join(rows))
    load(file)
    rows[row] = text
    (tmp_path / "sales.csv").write_text("\n".join(rows))
    told = message(file)
    assert told.startswith(f"{tmp_path / 'sales.csv'}, ")
    assert expectation in told


@pytest.mark.parametrize(
    ("good", "bad", "expectation"),
    [
        ("sales.csv", "sale.csv", "quantity.file: no such file"),
        ("item: a", "item: c", "quantity.item: 'c' is not in sales.csv; expected one of a, b"),
        (
            "2024-01-01",
            "2025-01-01",
            "train: has no rows from 2025-01-01 to 2024-01-10; the records",
        ),
        (
            "to: 2024-01-10",
            "to: 2024-01-10, block: 3",
            "block: is 3; expected at most the 2 periods",
        ),
        ("2024-01-01", "soon", "train.from: is 'soon'; expected a date YYYY-MM-DD"),
    ],
)
def test_a_fault_in_what_is_taken_from_records_names_the_line_of_the_quantity(
    good: str, bad: str, expectation: str, tmp_path: Path
) -> None:
    (tmp_path / "sales.csv").write_text("\n".join(ROWS))
    file = recorded(tmp_path, QUANTITY.replace(good, bad))
    line = 1 + file.read_text().partition("    quantity:")[0].count("\n")
    told = message(file)
    assert told.startswith(f"{file}, line {line}: demands.customers.quantity")
    assert expectation in told


@pytest.mark.parametrize(
    ("overrides", "expectation"),
    [
        (
            {"penalty": -3},
            "lost-sales with penalty=-3: demands.customers.shortage_cost: is -3; exp",
        ),
        ({"penalti": 3}, "lost-sales: unknown parameter 'penalti'; did you mean 'penalty'"),
        ({"parameters": {}}, "lost-sales: unknown parameter 'parameters'; "),
        ({"items.prodct.value": 3}, "there is no items.prodct; did you mean 'product'?"),
        ({"items.product.valu": 3}, "items.product.valu: unknown key; expected one of"),
        ({"items.product": 3}, "items.product: is 3; expected names with their values"),
        ({"sources.supplier.lead_time.mean": 3}, "supplier.lead_time.mean: 4 has no part 'mean'"),
        ({"mean": [3, 2]}, "demands.customers.quantity.mean: is a list; expected a number"),
        ({"lead_time": "long"}, "supplier.lead_time: is 'long'; expected a number, or a mapping"),
        ({"demand": "negative-binomial"}, "demands.customers.quantity.size: is missing; expected"),
    ],
)
def test_a_fault_in_an_override_names_the_override(
    overrides: dict[str, Any], expectation: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        load("lost-sales", **overrides)
    assert expectation in str(caught.value)
    assert next(iter(overrides)) in str(caught.value)


def test_a_list_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(
        ScenarioError, match=r"tandem: holding: has 3 values; expected 2, for items"
    ):
        load("tandem", holding=[1, 2, 3])
