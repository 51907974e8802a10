"""Branches: compiled and plain lockstep agree, and differences are those of long runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import agents
import jitgym
from agents.branches import Asking, Herd, Points, branch, lockstep
from agents.learned.corrections import Corrected, corrected
from jitgym.plant import Layout, lay_out

STARTS = {
    "lost-sales": "base-stock",
    "kanban-line": "extended-kanban",
    "content-studio": "conwip-hot",
    "automotive-line": "heijunka-milk-run",
    "print-on-demand": "base-stock",
    "perishable": "base-stock",
}


def deciding(layout: Layout, base: str) -> Corrected:
    """A classic with a net whose corrections differ from state to state."""
    policy = corrected(agents.make(base, layout.scenario), layout, np.random.default_rng(3))
    last = np.random.default_rng(4).standard_normal(policy.net.last.shape).astype(np.float32)
    return policy.with_net(policy.net._replace(last=last * np.float32(0.1)))


def points_of(policy: Any, layout: Layout, plants: int = 24) -> tuple[Points, Any]:
    asking, herd = Asking(policy, layout), Herd(layout, plants, seed=1)
    herd.begin(asking, stagger=40)
    asked = asking(herd.state, herd.memory)
    return Points(herd.state.copy(), herd.memory, herd.keys, herd.period, asked), asking


def varied(layout: Layout, points: Points) -> tuple[Any, Any]:
    """One lot more and one lot less of one source, by turns."""
    lots = np.array([source.lot_size for source in layout.scenario.sources.values()])
    of = np.repeat(np.arange(points.keys.size), 2)
    asked, rows = points.asked[of], np.arange(of.size)
    source = rows // 2 % lots.size
    moved = asked[rows, source] + lots[source] * np.where(rows % 2, 1.0, -1.0)
    asked[rows, source] = np.maximum(moved, 0.0)
    return asked, of


@pytest.mark.parametrize(("name", "base"), STARTS.items(), ids=STARTS)
def test_the_net_in_machine_code_asks_for_the_same_as_the_net_beside_it(
    name: str, base: str
) -> None:
    layout = lay_out(jitgym.load(name))
    policy = deciding(layout, base)
    points, _ = points_of(policy, layout)
    inside = policy.asks(points.state, points.memory)
    asked = policy.asking(points.state, points.memory)
    outputs = agents.learned.corrections.outputs_of(
        policy.net, policy.features(points.state, asked)
    )
    assert (policy.corrected(points.state, asked, outputs) == inside).all()
    assert (inside != asked).any()


@pytest.mark.parametrize(("name", "base"), STARTS.items(), ids=STARTS)
def test_compiled_branches_are_the_branches_of_plain_lockstep(name: str, base: str) -> None:
    layout = lay_out(jitgym.load(name))
    policy = deciding(layout, base)
    points, asking = points_of(policy, layout)
    asked, of = varied(layout, points)
    ours = branch(asking, points, asked, of, cap=60)
    theirs = lockstep._run(lockstep.Follow(asking, asking, 0), points, asked, of, "train", 60)
    assert ours.difference.any()
    np.testing.assert_allclose(ours.difference, theirs.difference, rtol=1e-9, atol=1e-9)
    moved = (asked != points.asked[of]).any(axis=1)
    assert (ours.has_met[moved] == theirs.has_met[moved]).all()


def test_a_difference_is_that_of_two_long_runs() -> None:
    """A pair that has met costs the same for ever, so a longer run changes nothing."""
    layout = lay_out(jitgym.load("lost-sales"))
    points, asking = points_of(deciding(layout, "base-stock"), layout)
    asked, of = varied(layout, points)
    found = branch(asking, points, asked, of)
    assert found.unmet == 0
    costs = []
    for first in (points.asked[of], asked):
        herd = Herd(layout, of.size, seed=1)
        herd.restore(
            {
                "state": points.state[of],
                "memory": points.memory[of],
                "period": points.periods[of],
                "episode": np.zeros(of.size, dtype=np.int64),
                "keys": points.keys[of],
            }
        )
        herd._step(slice(None), herd.state, herd.memory, first)
        total = herd.cost.copy()
        costs.append(total + herd.follow(asking, 300).sum(axis=0))
    np.testing.assert_allclose(found.difference, costs[1] - costs[0], atol=1e-9)


def test_a_pair_that_does_not_meet_is_stopped_at_the_cap_and_counted() -> None:
    layout = lay_out(jitgym.load("kanban-line"))
    points, asking = points_of(agents.make("eoq", layout.scenario), layout)
    asked, of = varied(layout, points)
    cut, whole = (branch(asking, points, asked, of, cap=cap) for cap in (12, 300))
    assert cut.unmet > 0
    assert not np.allclose(cut.difference, whole.difference)


def test_a_variant_that_changes_nothing_costs_nothing() -> None:
    layout = lay_out(jitgym.load("lost-sales"))
    points, asking = points_of(agents.make("base-stock", layout.scenario), layout)
    of = np.arange(points.keys.size)
    found = branch(asking, replace(points), points.asked.copy(), of)
    assert not found.difference.any()
    assert found.periods == 0
