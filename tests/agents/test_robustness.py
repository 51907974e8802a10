"""Robustness: what changes, which policies can follow, and that nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

import agents
import jitgym
from agents.learned.corrections import corrected
from agents.studies import robustness
from jitgym.distributions import NegativeBinomial
from jitgym.plant import lay_out


def plants(name: str) -> dict[str, jitgym.Scenario | None]:
    return {each.name: each.scenario for each in robustness.changes(jitgym.load(name))}


def test_each_change_moves_one_thing_only() -> None:
    found = plants("lost-sales")
    nominal = found["none"]
    assert nominal is not None
    more, later, variable = (
        found[name] for name in ("demand +10 %", "later suppliers", "more variable demand")
    )
    assert more is not None and later is not None and variable is not None  # noqa: PT018
    assert more.demands["customers"].mean == pytest.approx(5.5)
    assert later.sources["supplier"].lead_time.expectation == 5
    assert later.demands == nominal.demands
    quantity = variable.demands["customers"].quantity
    assert isinstance(quantity, NegativeBinomial)
    assert quantity.expectation == pytest.approx(5.0)
    assert quantity.standard_deviation**2 == pytest.approx(10.0)
    assert found["less time"] is None


def test_a_change_that_a_plant_cannot_have_is_named() -> None:
    left_out = {e.name: e.why_not for e in robustness.changes(jitgym.load("lost-sales"))}
    assert left_out["less time"] == "no work center has a certain time"
    assert plants("content-studio")["less time"] is not None


def test_a_policy_keeps_its_parameters_and_its_net() -> None:
    scenario = jitgym.load("lost-sales")
    base = agents.make("base-stock", scenario, level=25)
    learned = corrected(base, lay_out(scenario), np.random.default_rng(0))
    found = plants("lost-sales")
    same, later = found["demand +10 %"], found["later suppliers"]
    assert same is not None
    assert later is not None
    there = robustness.moved(learned, "", same)
    assert there is not None
    assert there.base.parameters == {"level": 25}
    assert there.net is learned.net
    assert robustness.moved(learned, "", later) is None  # one age more
    classic = robustness.moved(base, "base-stock", later)
    assert classic is not None
    assert classic.parameters == {"level": 25}


def test_a_policy_that_is_retuned_for_a_change_costs_less_than_one_that_is_not() -> None:
    scenario = jitgym.load("lost-sales")
    tuned = agents.tune("base-stock", scenario, 0)
    rows, notes = robustness.judge([tuned], scenario, episodes=32)
    at = {(row.change, row.policy): row for row in rows}
    apart = at["later suppliers", "base-stock (tuned)"].to_retuned
    assert apart is not None
    assert apart.low > 0
    assert at["none", "base-stock (tuned)"].to_retuned is None
    assert notes == ["less time: left out, no work center has a certain time"]
    assert "later suppliers" in str(robustness.table(rows, scenario, notes).texts())
