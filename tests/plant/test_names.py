"""Names: each column has one meaning, and the terms of a row add up to its cost."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import jitgym
from jitgym import catalog
from jitgym.control import FunctionPolicy
from jitgym.envs import PlantEnv
from jitgym.evaluate import rollout
from jitgym.plant import KPIS, kpis_of, lay_out
from jitgym.plant.prices import TERMS
from jitgym.scenario import Scenario
from jitgym.scenario.model import LONGEST_WAIT
from tests.scenarios import plant, scenarios

ABOUT = ("scenario", "policy", "split", "seed", "episode", "cost")
"""What else a row says."""


def test_no_term_has_the_name_of_a_kpi_or_of_another_column() -> None:
    scenario = plant(within=list(range(LONGEST_WAIT + 1)))
    assert len(kpis_of(scenario)) == len(KPIS) + LONGEST_WAIT + 1
    names = Counter([*TERMS, *kpis_of(scenario), *ABOUT])
    assert [name for name, count in names.items() if count > 1] == []


def ask_for_some(scenario: Scenario) -> FunctionPolicy:
    count = len(scenario.sources)
    return FunctionPolicy(lambda view: np.full((len(view), count), 6.0))


def check_rows(scenario: Scenario, seed: int) -> None:
    rows = rollout(ask_for_some(scenario), scenario, episodes=2, seed=seed)
    terms = list(lay_out(scenario).terms)
    assert rows.columns.is_unique
    assert set(rows.columns) == {*ABOUT, *terms, *kpis_of(scenario)}
    added = rows[terms].sum(axis=1).to_numpy()
    assert added == pytest.approx(rows["cost"].to_numpy(), rel=1e-9, abs=1e-6)


@given(scenarios(), st.integers(0, 1000))
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
def test_the_terms_of_a_row_add_up_on_random_plants(scenario: Scenario, seed: int) -> None:
    check_rows(scenario, seed)


@pytest.mark.parametrize("name", catalog.names())
def test_the_terms_of_a_row_add_up_in_the_catalog(name: str) -> None:
    scenario = jitgym.load(name)
    short = {"season": 6} if scenario.horizon.ends else {"ongoing": 6, "warm_up": 2}
    check_rows(jitgym.load(name, **{f"horizon.{key}": value for key, value in short.items()}), 0)


def test_goods_in_process_have_a_cost_and_a_number_of_units() -> None:
    scenario = plant(
        sources={"supplier": {"makes": "product", "lead_time": 2, "in_process_holding_cost": 0.5}},
        horizon={"ongoing": 10, "warm_up": 4},
    )
    rows = rollout(ask_for_some(scenario), scenario, episodes=1)
    assert rows["in_process"].tolist() == [12]  # ordered in two periods
    assert rows["in_process_holding"].tolist() == [6]
    assert rows["cost"].tolist() == [6]


@given(scenarios())
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
def test_every_cell_of_a_state_has_a_name_of_its_own(scenario: Scenario) -> None:
    layout = lay_out(scenario)
    assert max(Counter(part.name for part in layout.state).values()) == 1
    assert max(Counter((part.kind, part.name) for part in layout.flows).values()) == 1
    assert max(Counter(layout.channels).values()) == 1
    env = PlantEnv(scenario)
    assert len(set(env.observation_names)) == len(env.observation_names)
