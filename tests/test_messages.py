"""A slip gives one message that says what was found and what to write instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import agents
import jitgym
from jitgym.catalog import load
from jitgym.errors import ScenarioError
from jitgym.plant import lay_out
from jitgym.plant.rows import Row
from jitgym.scenario import Scenario

SHOP = """\
name: shop
period: one day
horizon: {ongoing: 50}
items:
  milk: {holding_cost: 1}
sources:
  dairy: {makes: milk, lead_time: 1}
demands:
  customers:
    item: milk
    quantity: {distribution: poisson, mean: 2}
    unmet: lost
    shortage_cost: 4
"""

# (text to replace, its replacement, line in the message, message).
WRITTEN = {
    "a quoted date": ("mean: 2", "mean: '2024-01-01'", 11, "is '2024-01-01'; expected a number"),
    "an octal name": ("item: milk", "item: 00123", 10,
                      "YAML reads 00123 as 83, in octal; expected text in quotes, '00123', or"),
    "a number as name": ("item: milk", "item: 123", 10, "is 123; expected text (write '123', in"),
    "a date as name": ("item: milk", "item: 2024-01-01", 10,
                       "is the date 2024-01-01; expected text (write '2024-01-01', in quotes)"),
    "no as name": ("item: milk", "item: no", 10, "is False; expected text (YAML reads yes, no, on"),
    "an empty value": ("item: milk", "item:", 10, "is empty; expected text"),
    "a decimal comma": ("shortage_cost: 4", "shortage_cost: 0,015", 13,
                        "is '0,015'; expected a number (write 0.015, with a decimal point)"),
    "a decimal comma in braces": ("{holding_cost: 1}", "{holding_cost: 0,015}", 5,
                                  "a point instead of the comma: 0.015"),
    "thousands": ("shortage_cost: 4", "shortage_cost: 1,500", 13,
                  "is '1,500'; expected a number (write it without separators of thousands"),
    "thousands in Swiss": ("shortage_cost: 4", "shortage_cost: 1'500.5", 13, "without separators"),
    "a semicolon": ("shortage_cost: 4", "shortage_cost: 4;", 13, "write 4, without a semicolon"),
    "semicolons in braces": ("makes: milk, lead", "makes: milk; lead", 7, "commas, not semicolons"),
    "a percentage": ("shortage_cost: 4", "shortage_cost: 5 %", 13, "(write 0.05)"),
    "a unit": ("shortage_cost: 4", "shortage_cost: 4 EUR", 13, "(write 4, without its unit)"),
    "a quoted number": ("shortage_cost: 4", "shortage_cost: '4'", 13, "as text; write 4)"),
    "an exponent": ("shortage_cost: 4", "shortage_cost: 1e3", 13, "as text; write 1000.0)"),
    "a quoted whole number": ("ongoing: 50", "ongoing: '50'", 3, "expected a whole number (YAML"),
    "nan in words": ("shortage_cost: 4", "shortage_cost: nan", 13, "is 'nan'; expected a number"),
    "nan": ("shortage_cost: 4", "shortage_cost: .nan", 13, "expected a finite number"),
    "a time": ("lead_time: 1", "lead_time: 12:30", 7,
               "YAML reads 12:30 as 750, in base 60; expected a number in one unit, or text"),
    "an impossible date": ("mean: 2", "mean: 2020-13-45", 11, "2020-13-45 is not a date (month"),
    "a tab": ("    unmet", "\tunmet", 12, "spaces, not tabs, before a name"),
    "a colon in text": ("one day", "day: 24 hours", 2, "put a text that contains one in"),
    "an open brace": ("lead_time: 1}", "lead_time: 1", 8, "commas between entries, and a } at"),
    "a list of items": ("items:\n  milk: {holding_cost: 1}", "items:\n  - {holding_cost: 1}", 4,
                        "is a list; expected names with their values (write a name and a colon in"),
    "one number as a list": ("unmet: lost", "unmet: lost\n    pattern: 2", 13,
                             "is 2; expected a list (write [2])"),
    "semicolons in a list": ("unmet: lost", "unmet: lost\n    pattern: 1; 2", 13,
                             "expected a list (write commas, not semicolons: 1, 2)"),
    "a key of another part": ("makes: milk,", "makes: milk, shelf_life: 3,", 7,
                              "(shelf_life belongs to items.NAME)"),
    "another case": ("holding_cost", "Holding_Cost", 5, "(did you mean 'holding_cost'?)"),
    "a name with a space": ("  milk: {h", "  'milk ': {h", 5,
                            "is 'milk ', with a space at its beginning or end; expected 'milk'"),
    "a name of spaces": ("  milk: {h", "  '  ': {h", 5, "is an empty name; expected text"),
    "a name of two lines": ("  milk: {h", '  "mi\\nlk": {h', 5, "of printable characters on one"),
    "an invisible name": ("  milk: {h", '  "mi\\u200Blk": {h', 5, "of printable characters"),
    "a name with a dot": ("  dairy:", "  dairy.north:", 7, "expected text without a dot"),
    "a name with a bracket": ("  dairy:", "  'dairy[2]':", 7, "expected text without a bracket"),
    "a name with a sign": ("  dairy:", "  a=b:", 7, "expected text without an equals sign"),
    "a long name": ("  dairy:", f"  {'d' * 900}:", 7, "is a name of 900 characters; expected at"),
    "a path as name": ("name: shop", "name: ../../evil", 1, "files are named after it: expected"),
    "another path": ("name: shop", "name: /tmp/evil", 1, "expected a name without a slash"),
    "a path of another system": ("name: shop", "name: ..\\evil", 1, "without a backslash"),
    "a hidden name": ("name: shop", "name: .shop", 1, "begins with a letter or digit"),
    "a name of dots": ("name: shop", "name: ..", 1, "is an empty name; expected text"),
    "no name": ("name: shop", "name: ''", 1, "is an empty name; expected text"),
    "a number of many digits": ("shortage_cost: 4", f"shortage_cost: {'9' * 300}", 13,
                                "expected a finite number of at most 1e+15"),
    "a long text": ("shortage_cost: 4", f"shortage_cost: {'x' * 9000}", 13, "...; expected a num"),
}  # fmt: skip


@pytest.mark.parametrize(("good", "bad", "line", "said"), WRITTEN.values(), ids=WRITTEN)
def test_a_typing_mistake_is_reported_with_its_line_and_what_to_write(
    good: str, bad: str, line: int, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "shop.yaml"
    assert good in SHOP
    file.write_text(SHOP.replace(good, bad, 1))
    with pytest.raises(ScenarioError) as caught:
        load(file)
    assert str(caught.value).startswith(f"{file}, line {line}: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 2_000


FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty; expected names with their values"),
    "a comment": (b"# to do", "is empty; expected names with their values"),
    "a table": (b"date,item,quantity\n2024-01-01,milk,3", "expected names with their values"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0", "is not UTF-8; expected YAML text, saved as UTF-8"),
    "zeros": (b"\0" * 100, "is a binary file; expected YAML text"),
    "latin letters": ("name: Käse".encode("latin-1"), ", line 1: is not UTF-8; expected YAML text"),
    "sixteen bits": ("name: shop".encode("utf-16"), "is not UTF-8; expected YAML text"),
    "two documents": (
        SHOP.encode() + b"---\n" + SHOP.encode(),
        "line 14: a second document begins",
    ),
}


@pytest.mark.parametrize(("content", "said"), FILES.values(), ids=FILES)
def test_a_file_of_another_kind_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_bytes(content)
    with pytest.raises(ScenarioError) as caught:
        load(file)
    assert str(caught.value).startswith(str(file))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_or_a_missing_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(ScenarioError, match=r"folder\.yaml: is a folder; expected a YAML file"):
        load(tmp_path / "folder.yaml")
    with pytest.raises(ScenarioError) as told:
        load(tmp_path / "none.yaml")
    missing = tmp_path / "none.yaml"
    assert str(told.value) == f"{missing}: no such file; expected a YAML file"
    with pytest.raises(
        ScenarioError, match=r"unknown scenario .*; .*A file name ends in \.yaml or"
    ):
        load(tmp_path / "shop.csv")
    with pytest.raises(ScenarioError, match="has a null character; expected a YAML file"):
        load("a\0b.yaml")


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    file = tmp_path / "shop.YAML"
    file.write_bytes(b"\xef\xbb\xbf" + SHOP.replace("\n", "\r\n").encode())
    assert load(file).name == "shop"


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            {"lead_time": 3},
            "unknown parameter 'lead_time'; expected a path, sources.dairy.lead_time",
        ),
        ({"mean": 3}, "expected a path, demands.customers.quantity.mean, or a short name that"),
        ({"quantity": 3}, "expected a path, demands.customers.quantity, or a short name"),
        ({"nothing": 3}, "write its path, such as items.milk.holding_cost"),
        ({"sources.diary.lead_time": 3}, "there is no sources.diary; did you mean 'dairy'?"),
    ],
)
def test_an_override_of_a_plant_without_short_names_lists_its_paths(
    overrides: dict[str, Any], said: str, tmp_path: Path
) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(SHOP)
    with pytest.raises(ScenarioError) as caught:
        load(file, **overrides)
    assert said in str(caught.value)


def test_a_list_of_cards_of_the_wrong_length_names_what_each_is_for() -> None:
    with pytest.raises(ScenarioError, match=r"cards has 2 values; expected \d, from supplier to"):
        agents.make("kanban", jitgym.load("kanban-line"), cards=[3, 4])


BOTH = {
    "work_centers": {"press": {"time": 4, "breakdown": {"fails": 0.1, "repaired": 0.5}}},
    "sources": {
        "press": {
            "makes": "milk",
            "at": "press",
            "time_per_unit": 1,
            "disruption": {"fails": 0.1, "repaired": 0.5},
        }
    },
}


def test_two_parts_whose_cells_would_share_a_name_are_refused() -> None:
    data = jitgym.documents.read(SHOP, "shop").data | BOTH
    with pytest.raises(ScenarioError, match=r"^shop: sources\.press: .*press\.up would mean both"):
        Scenario.from_document(data, "shop")


def test_any_cell_that_two_parts_share_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """This holds for every feature, because the names of cells are compared, not the features."""
    scenario = Scenario.from_document(jitgym.documents.read(SHOP, "shop").data, "shop")
    take = Row.take

    def twice(self: Row, kind: str, owner: str, what: str, unit: str, size: int = 1) -> int:
        if what == "in_process" and kind == "source" and size > 0:
            take(self, "center", owner, what, unit)
        return take(self, kind, owner, what, unit, size)

    monkeypatch.setattr(Row, "take", twice)
    with pytest.raises(ScenarioError, match=r"both would have a cell dairy\.in_process"):
        lay_out(scenario)
