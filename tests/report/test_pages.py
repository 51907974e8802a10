"""The pages of the catalog are complete, and the same each time they are written."""

from __future__ import annotations

import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from jitgym import catalog
from jitgym.catalog import load
from jitgym.envs.spaces import Spaces
from jitgym.errors import ScenarioError
from jitgym.plant import lay_out
from jitgym.report import drawing, pages
from jitgym.scenario import Scenario
from tests.calls import call
from tests.scenarios import NOBODY, plant, scenarios

DOCS = Path(__file__).resolve().parents[2] / "docs"
SYSTEMS = ("automotive-line", "print-on-demand", "online-retail", "fast-fashion", "content-studio")


@pytest.mark.parametrize("name", catalog.names())
def test_a_page_names_every_part_and_every_entry(name: str) -> None:
    scenario = load(name)
    text = pages.page(scenario, f"{name}.svg")
    for section in ("items", "sources", "work_centers", "demands", "carriers", "parameters"):
        for part in getattr(scenario, section):
            assert f"`{part}`" in text
    spaces = Spaces(lay_out(scenario), "orders")
    for entry in (*spaces.observation_entries, *spaces.action_entries):
        assert f"`{entry.name}`" in text


@pytest.mark.parametrize("name", catalog.names())
def test_the_page_in_docs_is_up_to_date_with_its_scenario(name: str) -> None:
    """If this fails, run `python scripts/document.py`."""
    written = (DOCS / "scenarios" / f"{name}.md").read_text(encoding="utf-8")
    assert written == pages.page(load(name), f"{name}.svg", pages.results(name, DOCS))
    drawn = (DOCS / "scenarios" / f"{name}.svg").read_text(encoding="utf-8")
    assert drawn == drawing.as_svg(drawing.picture(load(name)), load(name).title)


@pytest.mark.parametrize("name", catalog.names())
def test_a_page_links_to_pages_that_report_the_scenario(name: str) -> None:
    for _, link in pages.results(name, DOCS):
        file, _, anchor = link.removeprefix("../").partition("#")
        text = (DOCS / file).read_text(encoding="utf-8")
        assert any(pages.reports(line, name) for line in text.splitlines())
        headings = [line.lower() for line in text.splitlines() if line.startswith("## ")]
        assert not anchor or any(anchor == pages.slug(line[3:]) for line in headings)


def test_each_of_the_five_systems_links_to_its_tension_and_to_push_versus_pull() -> None:
    for name in SYSTEMS:
        files = {link.partition("#")[0] for _, link in pages.results(name, DOCS)}
        assert {"../tension.md", "../push-versus-pull.md"} <= files


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_holds_stock_at_the_yearly_rate_of_the_trade(name: str) -> None:
    scenario = load(name)
    rates = [
        item.holding_cost * scenario.periods_per_year / item.value
        for item in scenario.items.values()
        if item.value and item.holding_cost
    ]
    assert rates
    assert all(0.1 <= rate <= 0.3 for rate in rates)


def plants() -> dict[str, Scenario]:
    """Return the catalog, long lines, and a plant whose rework returns to its start."""
    rework = {
        "work": {"makes": "part", "consumes": {"blank": 1}, "at": "press"},
        "supply": {"makes": "blank", "lead_time": 2},
        "strip": {"makes": "blank", "consumes": {"bad": 1}},
    }
    rework["work"]["quality"] = {"defects": 0.1, "by_product": "bad"}
    return {name: load(name) for name in catalog.names()} | {
        "line": load("line", stations=9),
        "rework": plant(
            items={"blank": {}, "part": {}, "bad": {}},
            sources=rework,
            work_centers={"press": {"time": 4}},
            demands={"nobody": NOBODY | {"item": "part"}},
        ),
    }


PLANTS = plants()


def assert_nothing_overlaps(scenario: Scenario, layout: drawing.Layout = "own") -> None:
    found = drawing.picture(scenario, layout)
    slack = 1e-6 if layout == "own" else 0.5  # dot prints five digits
    for k, box in enumerate(found.boxes):
        assert box.text_width <= box.width + 1e-6
        assert box.text_height <= box.height + 1e-6
        assert 0 <= box.x <= box.x + box.width <= found.width
        assert 0 <= box.y <= box.y + box.height <= found.height
        for other in found.boxes[k + 1 :]:
            beside = box.x + box.width < other.x or other.x + other.width < box.x
            above = box.y + box.height < other.y or other.y + other.height < box.y
            assert beside or above, (box.title, other.title)
    for arrow in found.arrows:
        for x, y in arrow.samples():
            for box in found.boxes:
                within_x = box.x + slack < x < box.x + box.width - slack
                within_y = box.y + slack < y < box.y + box.height - slack
                assert not (within_x and within_y), (arrow.link, box.title)


@pytest.mark.parametrize("name", PLANTS)
def test_no_label_overlaps_another_and_no_arrow_crosses_one(name: str) -> None:
    assert_nothing_overlaps(PLANTS[name])


@given(scenarios())
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_a_drawing_of_any_plant_is_free_of_overlaps_and_shows_every_part(
    scenario: Scenario,
) -> None:
    assert_nothing_overlaps(scenario)
    assert_every_part_is_shown(scenario)


def assert_every_part_is_shown(scenario: Scenario) -> None:
    shown = {name for box in drawing.picture(scenario).boxes for name in box.names}
    sections = ("items", "sources", "demands", "work_centers", "carriers", "projects")
    assert shown == {name for section in sections for name in getattr(scenario, section)}


@pytest.mark.parametrize("name", PLANTS)
def test_a_drawing_shows_every_part_and_every_arrow_of_the_scenario(
    name: str,
) -> None:
    scenario = PLANTS[name]
    assert_every_part_is_shown(scenario)
    ends = {(arrow.link.start, arrow.link.end) for arrow in drawing.picture(scenario).arrows}
    if name in ("online-retail", "fast-fashion"):
        assert len(drawing.picture(scenario).boxes) <= 8  # similar items share a box
        return
    for key, source in scenario.sources.items():
        assert (f"source {key}", f"item {source.makes}") in ends
        assert all((f"item {item}", f"source {key}") in ends for item in source.consumes)
        assert source.carrier is None or (f"truck {source.carrier}", f"source {key}") in ends


def test_the_automotive_drawing_names_truck_breakdowns_overtime_and_setups() -> None:
    text = drawing.as_svg(drawing.picture(load("automotive-line")), "")
    for words in ("milk run", "shared truck", "breaks down", "overtime up to", "setup takes"):
        assert words in text


@pytest.mark.parametrize("name", ["kanban-line", "content-studio", "dual-sourcing"])
def test_a_drawing_is_the_same_each_time_and_names_every_item(name: str, tmp_path: Path) -> None:
    scenario = load(name)
    for k in (1, 2):
        drawing.draw(scenario, tmp_path / f"{k}.svg")
    first = (tmp_path / "1.svg").read_bytes()
    assert first == (tmp_path / "2.svg").read_bytes()
    assert ET.fromstring(first).tag.endswith("svg")
    for item in scenario.items:
        assert f">{item.replace('_', ' ')}</text>" in first.decode()


SHOP = """\
# A shop of mine.
name: lost-sales
period: one day
horizon: {ongoing: 50}
items: {milk: {holding_cost: 1}}
sources: {dairy: {makes: milk, lead_time: 1}}
demands: {customers: {item: milk, quantity: {distribution: poisson, mean: 2}, unmet: lost,
  shortage_cost: 4}}
"""

with_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")


@with_dot
@pytest.mark.parametrize("name", PLANTS)
def test_dot_places_the_same_boxes_and_arrows_without_overlaps(name: str) -> None:
    assert_nothing_overlaps(PLANTS[name], "dot")
    own, found = (drawing.picture(PLANTS[name], layout) for layout in ("own", "dot"))
    labels = [{(box.title, box.lines, box.color) for box in each.boxes} for each in (own, found)]
    assert labels[0] == labels[1]
    assert {arrow.link for arrow in own.arrows} == {arrow.link for arrow in found.arrows}


@with_dot
@pytest.mark.parametrize("name", PLANTS)
def test_an_arrow_placed_by_dot_joins_its_two_boxes(name: str) -> None:
    found = drawing.picture(PLANTS[name], "dot")
    for arrow in found.arrows:
        for key, (x, y) in (
            (arrow.link.start, arrow.start),
            (arrow.link.end, arrow.pieces[-1][-1]),
        ):
            part = key.partition(" ")[2]
            near = [b for b in found.boxes if key.split(" ")[0] == b.kind and part in b.names]
            assert any(
                b.x - 1 <= x <= b.x + b.width + 1 and b.y - 1 <= y <= b.y + b.height + 1
                for b in near
            ), key


@with_dot
def test_a_drawing_by_dot_is_valid_svg_whatever_the_labels(tmp_path: Path) -> None:
    odd = 'a"];<b>&amp; \\N \\" {|} ]]> é'
    scenario = load("kanban-line").model_copy(update={"title": odd, "unit": odd})
    boxes = {
        "item x": drawing.Box("item", odd, (odd, "</text>")),
        "item y": drawing.Box("item", "y", ()),
    }
    found = drawing.by_dot(boxes, [drawing.Link("item x", "item y")], ())
    root = ET.fromstring(drawing.as_svg(found, odd))
    texts = [each.text for each in root.iter() if each.tag.endswith(("}text", "}title"))]
    assert texts == [odd, odd, odd, "</text>", "y"]
    drawing.draw(scenario, tmp_path / "odd.svg", "dot")
    ET.parse(tmp_path / "odd.svg")


@with_dot
def test_document_lays_an_own_plant_out_by_dot_and_leaves_shipped_files_alone(
    tmp_path: Path,
) -> None:
    (tmp_path / "shop.yaml").write_text(SHOP)
    shipped = DOCS / "scenarios" / "lost-sales.svg"
    before = shipped.read_bytes()
    done = call(tmp_path, "document", "shop.yaml", "--layout", "dot")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "lost-sales.svg").exists()
    assert shipped.read_bytes() == before


def test_a_page_of_an_own_plant_speaks_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(SHOP)
    before = {path: path.read_bytes() for path in DOCS.rglob("*.md")}
    done = call(tmp_path, "document", "shop.yaml")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "lost-sales.md").read_text()
    assert "A shop of mine." in text
    assert 'gymnasium.make("jitgym/Plant-v0", scenario="shop.yaml")' in text
    assert "compare.py shop.yaml" in text
    assert "](../" not in text  # no results of the scenario that has the same name
    assert before == {path: path.read_bytes() for path in DOCS.rglob("*.md")}


def test_a_family_has_a_page_too() -> None:
    text = pages.page(load("line", stations=2), "line.svg")
    assert '`gymnasium.make("jitgym/Plant-v0", scenario="line")`' in text


def test_without_dot_one_message_says_what_to_do_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    done = call(tmp_path, "document", "kanban-line", "--layout", "dot", "--out", "pages")
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "the program dot is not installed; install Graphviz" in done.stderr
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("echo hello", "does not answer like dot of Graphviz"),
        ("exit 0", "does not answer like dot of Graphviz"),
        ("echo 'no plugin' >&2; exit 3", "dot failed: no plugin"),
    ],
)
def test_another_program_named_dot_ends_in_one_message(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dot").write_text(f"#!/bin/sh\n{text}\n")
    (tmp_path / "dot").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ScenarioError, match=message):
        drawing.picture(load("lost-sales"), "dot")
