"""The report of a comparison: one page that stands alone, and can be made again from its folder."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import agents
import jitgym
from agents.studies import comparison, reports
from jitgym.evaluate import RunError
from jitgym.report import comparisons, html

NAMES = ("base-stock (textbook)", "constant (textbook)")
VOID = {"meta", "br", "img", "hr", "link", "input"}


class Reader(HTMLParser):
    """Collects identifiers and addresses, and checks that tags are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        self.addresses += [str(given[k]) for k in ("src", "href", "xlink:href") if given.get(k)]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def run(tmp_path_factory: Any) -> Path:
    """Return the folder of a small comparison, as compare.py leaves it."""
    folder: Path = tmp_path_factory.mktemp("run")
    scenario = jitgym.load("lost-sales")
    policies = [agents.make(name.split()[0], scenario) for name in NAMES]
    frame = comparison.contest(policies, scenario, episodes=8)
    rows = comparisons.comparison(frame, NAMES, 4.7285, scenario, reference=NAMES[0])
    frame.to_csv(folder / "rows.csv", index=False)
    said = reports.Said(
        verdict="Base-stock <is> best & cheap.",
        reference=NAMES[0],
        optimum=4.7285,
        tuned=NAMES,
        notes=("a note",),
        parameters=comparison.parameters_of(policies),
        chosen_on=comparison.CHOSEN_ON,
        command="python scripts/compare.py lost-sales",
    )
    reports.store(said, scenario, folder)
    shown = reports.shown(rows, NAMES[0])
    drawn = [policy for policy in policies if policy.name in shown]
    reports.draw_paths(drawn, scenario, folder, 0)
    (folder / "learned").mkdir()
    (folder / "learned" / "looks.csv").write_text(LOOKS)
    (folder / "training.json").write_text(TRAINING)
    reports.store_robustness(policies, 1e9, scenario, folder, 8)
    (folder / "sizes.csv").write_text(SIZES.format(NAMES[0]))
    return folder


SIZES = """policy,factor,average_inventory,fill_rate
{0},0.8,1.2,0.75
{0},1.0,2.9,0.88
"""


LOOKS = """periods,cpu_seconds,difference,low,high
100,1.5,0.1,-0.1,0.3
200,2.5,-0.4,-0.5,-0.3
"""
TRAINING = (
    '[{"learner": "learned (ppo)", "start": "base-stock", "start_cost": 5.0, "folder": "learned"}]'
)


def test_the_page_stands_alone_and_is_well_formed(run: Path, tmp_path: Path) -> None:
    page = html.write([reports.read(run)], tmp_path).read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert len(reader.ids) == len(set(reader.ids)) > 20
    assert all(address.startswith("#") for address in reader.addresses)
    named = {f"#{name}" for name in reader.ids}
    assert set(reader.addresses) <= named
    inside = set(re.findall(r"url\((#[^)]+)\)", page))
    assert inside
    assert inside <= named
    assert len(page) < 5_000_000
    assert "Base-stock &lt;is&gt; best &amp; cheap." in page
    for said in ("fill rate (%)", "average inventory (units)", "by term (money)", "a note"):
        assert said in page


def test_every_chart_is_also_a_picture_and_a_table(run: Path, tmp_path: Path) -> None:
    html.write([reports.read(run)], tmp_path)
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert names == {
        f"{chart}.{form}"
        for chart in ("differences", "costs", "service", "training", "decisions")
        for form in ("svg", "png", "csv")
    }
    table = (tmp_path / "figures" / "differences.csv").read_text().splitlines()
    assert table[0] == "policy,difference_percent,low,high"
    assert table[1].startswith("constant (textbook),")
    curve = (tmp_path / "figures" / "training.csv").read_text().splitlines()
    assert curve[2].split(",")[:4] == ["learned (ppo)", "200", "2.5", "-8.0"]  # -.4 of 5


def test_classics_over_their_size_are_lines_beside_the_marks(run: Path) -> None:
    section = reports.read(run)
    [chart] = [each for each in section.charts if each.name == "service"]
    assert "times 0.8 to 1" in chart.says
    assert f"{NAMES[0]},1.2,0.75,0.8" in chart.csv
    plain = replace(section, sizes=None)
    assert "times" not in next(each for each in plain.charts if each.name == "service").says


def test_the_page_shows_what_policies_order_and_how_they_fare_elsewhere(run: Path) -> None:
    section = reports.read(run)
    [base, constant] = section.decisions
    orders = dict(base.sources["supplier"])
    positions = sorted(orders)
    assert orders[positions[0]] > orders[positions[-1]]  # base-stock: up to a level
    assert len({order for _, order in constant.sources["supplier"]}) == 1
    page = html.page.render([section])
    assert "If the plant differs" in page
    assert "demand +10 %" in page
    assert "also retunes the classic for each change" in page


def test_mean_orders_are_taken_at_positions_that_occur_often() -> None:
    position = np.repeat([3.0, 4.0, 9.0], [20, 20, 5])
    found = reports.mean_orders(position, 10.0 - position)
    assert found == [(3.0, 7.0), (4.0, 6.0)]


def test_the_same_run_gives_the_same_page(run: Path) -> None:
    pages = [html.page.render([reports.read(run)]) for _ in range(2)]
    assert pages[0] == pages[1]


def test_several_runs_become_one_page_with_their_verdicts_first(run: Path) -> None:
    section = reports.read(run)
    page = html.page.render([section, section])
    assert page.index("2 comparisons") < page.index("<table>")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows.csv": None}, "has no rows.csv; expected the folder of a run of compare.py"),
        ({"comparison.json": "{}"}, "comparison.json: cannot be read"),
        ({"training.json": "{"}, "training.json: cannot be read"),
        ({"decisions.json": "[1]"}, "decisions.json: cannot be read"),
        ({"robustness.json": "{}"}, "robustness.json: cannot be read"),
        ({"rows.csv": ("lost-sales,base-stock", "perishable,base-stock")}, "rows of 2 scenarios"),
        ({"rows.csv": (",test,0,1,", ",test,0,9,")}, "rows.csv: "),
    ],
)
def test_a_folder_that_is_not_that_of_one_comparison_is_refused(
    change: dict[str, Any], said: str, run: Path, tmp_path: Path
) -> None:
    for path in run.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    for name, how in change.items():
        file = tmp_path / name
        if how is None:
            file.unlink()
        elif isinstance(how, str):
            file.write_text(how)
        else:
            file.write_text(file.read_text().replace(*how, 1))
    with pytest.raises(RunError, match=re.escape(said)):
        reports.read(tmp_path)


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such folder"):
        reports.read(tmp_path / "none")
