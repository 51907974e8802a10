"""The pages of the catalog: complete, and the same each time they are written."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from jitgym import catalog
from jitgym.envs.spaces import Spaces
from jitgym.plant import lay_out
from jitgym.report import drawing, pages
from jitgym.scenario import load

DOCS = Path(__file__).resolve().parents[2] / "docs" / "scenarios"


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
def test_the_page_in_docs_is_what_the_scenario_says_today(name: str) -> None:
    """Run `python scripts/document.py` after a change of the catalog."""
    written = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    assert written == pages.page(load(name), f"{name}.svg")
    assert (DOCS / f"{name}.svg").is_file()


@pytest.mark.parametrize("name", ["kanban-line", "content-studio", "dual-sourcing"])
def test_a_drawing_is_the_same_each_time_and_names_every_item(name: str, tmp_path: Path) -> None:
    scenario = load(name)
    for k in (1, 2):
        drawing.draw(scenario, tmp_path / f"{k}.svg")
    first = (tmp_path / "1.svg").read_bytes()
    assert first == (tmp_path / "2.svg").read_bytes()
    assert ET.fromstring(first).tag.endswith("svg")
    for item in scenario.items:
        assert f"<!-- {item.replace('_', ' ')} -->" in first.decode()
