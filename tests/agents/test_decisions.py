"""Today's orders: the state file, and the reason of each order."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import agents
import jitgym
from agents.learned.corrections import corrected
from agents.studies import decisions
from jitgym import ScenarioError
from jitgym.catalog import names
from jitgym.envs.board import board
from jitgym.plant import lay_out

STATE = "product.stock: 7\nsupplier.in_process: [5, 4, 6]\n"


def read(text: str, tmp_path: Path, name: str = "lost-sales") -> np.ndarray:
    (tmp_path / "today.yaml").write_text(text)
    return decisions.read_state(tmp_path / "today.yaml", lay_out(jitgym.load(name)))


@pytest.mark.parametrize("name", names())
def test_the_template_of_every_plant_is_a_valid_state(name: str, tmp_path: Path) -> None:
    layout = lay_out(jitgym.load(name))
    state = read(decisions.template(layout), tmp_path, name)
    policy = agents.make(next(n for n in agents.names() if not agents.why_not(n, name)), name)
    found = decisions.decide(policy, layout, state)
    assert [each.source for each in found] == list(layout.scenario.sources)
    assert all(each.reason for each in found)


def test_a_base_stock_order_names_position_and_level(tmp_path: Path) -> None:
    """7 in stock and 15 on order: a position of 22, and an order of 3 up to 25."""
    scenario = jitgym.load("lost-sales")
    policy = agents.make("base-stock", scenario, level=25)
    (found,) = decisions.decide(policy, lay_out(scenario), read(STATE, tmp_path))
    assert (found.source, found.units) == ("supplier", 3.0)
    assert found.reason == "the inventory position is 22, 3 below the level 25"
    (none,) = decisions.decide(
        agents.make("base-stock", scenario, level=20), lay_out(scenario), read(STATE, tmp_path)
    )
    assert (none.units, none.reason) == (
        0.0,
        "the inventory position is 22, not below the level 20",
    )


@pytest.mark.parametrize(
    ("policy", "parameters", "units", "said"),
    [
        ("kanban", {"cards": [25]}, 3.0, "22 of 25 kanban cards are in use"),
        ("kanban", {"cards": [22]}, 0.0, "all 22 kanban cards are in use"),
        ("capped-base-stock", {"level": 30, "cap": 5}, 5.0, "an order is at most 5"),
        ("s-S", {"reorder_point": 20, "order_up_to": 25}, 0.0, "it orders from a gap of 5 on"),
        ("constant", {"order": 4}, 4.0, "an order is at most 4"),
    ],
)
def test_each_kind_of_rule_has_its_reason(
    policy: str, parameters: dict[str, object], units: float, said: str, tmp_path: Path
) -> None:
    scenario = jitgym.load("lost-sales")
    made = agents.make(policy, scenario, **parameters)
    (found,) = decisions.decide(made, lay_out(scenario), read(STATE, tmp_path))
    assert found.units == units
    assert said in found.reason


def test_a_learned_order_says_what_the_classic_asks_and_what_the_net_changes(
    tmp_path: Path,
) -> None:
    scenario = jitgym.load("lost-sales")
    layout = lay_out(scenario)
    base = agents.make("base-stock", scenario, level=25)
    plain = corrected(base, layout, np.random.default_rng(0))
    moved = plain.with_net(plain.net._replace(last_bias=plain.net.last_bias + 2.0))
    state = read(STATE, tmp_path)
    (same,) = decisions.decide(plain, layout, state)
    assert same.units == 3
    assert same.reason.endswith("asks for 3; the net leaves that as it is")
    (more,) = decisions.decide(moved, layout, state)
    assert more.units == 6  # two steps of 1.25 units, in whole lots
    assert more.reason.endswith("asks for 3; the net changes that by +3 in this state")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("product.stok: 7\n", "unknown part 'product.stok'; did you mean 'product.stock'"),
        ("product.stock: 7\n", "has no supplier.in_process; expected every part, or the line"),
        (STATE.replace("6]", "6, 1]"), "supplier.in_process has 4 numbers; expected 3, one for"),
        (STATE.replace("7", "-1"), "product.stock is -1; expected a number from 0 on"),
        (STATE.replace("7", "many"), "product.stock is 'many'; expected a number from 0 on"),
        (STATE + "missing: one\n", "missing is 'one'; expected zero, or no such line"),
        ("- 7\n", "today.yaml"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=re.escape(said)):
        read(text, tmp_path)


def test_parts_that_are_missing_are_zero_where_the_file_says_so(tmp_path: Path) -> None:
    state = read("product.stock: 7\nmissing: zero\n", tmp_path)
    assert state.sum() == 7


@pytest.mark.parametrize("name", ["kanban-line", "automotive-line", "online-retail"])
def test_a_board_fits_80_columns_and_names_every_item(name: str) -> None:
    layout = lay_out(jitgym.load(name))
    state = layout.plant.initial.copy()
    asked = np.full(len(layout.scenario.sources), 12345.0)
    shown = board(layout, state, 3, asked, asked, 1234.5)
    assert max(map(len, shown.splitlines())) <= 80
    for item in layout.scenario.items:
        assert item[:21] in shown


def test_a_board_says_what_is_down() -> None:
    layout = lay_out(jitgym.load("kanban-line"))
    state = layout.plant.initial.copy()
    (cell,) = [part.start for part in layout.state if part.name == "press.up"]
    state[cell] = 0.0
    assert "down: press" in board(layout, state, 1)
