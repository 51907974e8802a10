"""docs/view.md: all examples run, one after the other, and print the output shown below them."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from jitgym import catalog
from jitgym.catalog import load
from jitgym.control import ViewLayout
from jitgym.plant import lay_out
from tests.envs.test_envs import WORKSHOP
from tests.scenarios import plant

PAGE = (Path(__file__).parents[1] / "docs" / "view.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"```python\n(.*?)```\n\n```text\n(.*?)```", re.DOTALL)


def test_every_example_prints_the_output_on_the_page() -> None:
    examples = EXAMPLE.findall(PAGE)
    assert len(examples) == PAGE.count("```python") == PAGE.count("```text") > 5
    names: dict[str, object] = {}
    for code, expected in examples:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "docs/view.md", "exec"), names)
        assert printed.getvalue() == expected, code


@pytest.mark.parametrize("name", ["workshop", "everything", *catalog.names()])
def test_the_table_lists_every_kind_of_cell(name: str) -> None:
    own = {"workshop": WORKSHOP, "everything": EVERYTHING}
    table = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    listed = set(re.findall(r"\.(\w+)", " ".join(table)))
    cells = ViewLayout(lay_out(own.get(name) or load(name))).cells
    assert {re.sub(r"\[\d+\]", "", cell.name).split(".")[-1] for cell in cells} <= listed


EVERYTHING = plant(
    items={"product": {"shelf_life": 3}},
    sources={
        "supplier": {
            "makes": "product",
            "lead_time": 3,
            "partial": {"share": 0.5, "rest": "later"},
            "commitment": {"quantity": 30, "every": 4, "shortfall_cost": 2},
            "disruption": {"fails": 0.1, "repaired": 0.5},
            "quality": {"defects": 0.1, "drifts": 0.1, "drifted_defects": 0.5},
            "shipment_cost": 9,
        }
    },
    demands={
        "customers": {
            "item": "product",
            "quantity": {"distribution": "poisson", "mean": 5},
            "unmet": "backordered",
            "forecast": {"method": "revealed", "shares": [0.3, 0.4]},
            "abandons": 0.1,
        }
    },
    projects={
        "cheaper": {"cost": 5, "improves": {"sources.supplier.shipment_cost": 3}, "periods": 4}
    },
)
