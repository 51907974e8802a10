"""The generalist for lost sales: the net in machine code, its plants, and what it refuses."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import jitgym
from agents.learned.generalist import lost_sales as family
from agents.studies.records import lost_sales as records
from jitgym import ScenarioError
from jitgym.distributions import Geometric, Poisson
from jitgym.evaluate import RunError, rollout

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def training() -> Any:
    """The module that trains the net."""
    path = ROOT / "benchmarks" / "lost_sales_generalist" / "train.py"
    spec = importlib.util.spec_from_file_location("train_generalist", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def certain(lead_time: int) -> Any:
    drawn = np.zeros(family.AGES + 1)
    drawn[lead_time] = 1.0
    return drawn


def test_machine_code_orders_what_the_trained_net_orders(training: Any) -> None:
    torch.manual_seed(0)
    net = training.Policy()
    with np.load(family.PLACE) as stored:
        net.load_state_dict({name: torch.tensor(stored[name]) for name in stored.files})
    herd = training.Herd(96, "cpu")
    herd.follow(net, 30, 0.0)
    wanted = torch.floor(net(herd.plants, herd.stock, herd.pipeline) + 0.5).detach().numpy()
    weights, order, differ = family.read_weights(), np.empty(1), 0
    for k, plants in enumerate([herd.plants] * 96):
        numbers = (float(part[k]) for part in (plants.mean, plants.deviation, plants.penalty))
        plant = family.family(*numbers, plants.drawn[k].double().numpy())
        state = herd.stock[k : k + 1].double().numpy(), herd.pipeline[k : k + 1].double().numpy()
        family.decide(plant, weights, *state, family.working_of(weights), order)
        differ += int(order[0] != wanted[k])
    assert differ <= 2  # single precision: a half is rounded the other way


@pytest.mark.parametrize(
    ("demand", "penalty", "lead_time"), [(Poisson(mean=5), 4, 4), (Geometric(mean=5), 19, 2)]
)
def test_plants_of_the_family_cost_what_the_plants_of_jitgym_cost(
    demand: Any, penalty: float, lead_time: int
) -> None:
    given = records.world(demand, penalty, certain(lead_time))
    blocks = given.run(records.GENERALIST, 200_000, 5)
    kind = {"demand": demand.distribution, "penalty": penalty, "lead_time": lead_time}
    scenario = jitgym.load("lost-sales", **kind)
    rows = rollout(family.policy(scenario), scenario, 48)["cost"]
    error = np.hypot(blocks.std(ddof=1) / np.sqrt(blocks.size), rows.std() / np.sqrt(len(rows)))
    assert abs(blocks.mean() - rows.mean()) < 4 * error


def test_base_stock_costs_what_is_published() -> None:
    blocks = records.world(Poisson(mean=5), 4, certain(4)).run((25.0, 1e9), 2_000_000, 1)
    assert blocks.mean() == pytest.approx(5.197769, rel=0.003)


@pytest.mark.parametrize("lead_time", [3, 8])
def test_one_net_costs_less_than_the_best_capped_base_stock_of_each_plant(
    lead_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "PERIODS", 100_000)
    found = records.compared(Poisson(mean=7), 15, certain(lead_time))
    assert found["interval"][1] < found["classic"]


def test_random_lead_times_are_read_from_the_scenario() -> None:
    law = {"distribution": "finite", "values": [5, 6, 7], "probabilities": [0.2, 0.3, 0.5]}
    changed: dict[str, Any] = {"sources.supplier.lead_time": law}
    scenario = jitgym.load("lost-sales", **changed)
    plant: Any = family.policy(scenario)
    assert plant.plant.new[[5, 6, 7]].tolist() == pytest.approx([0.2, 0.3, 0.5])


@pytest.mark.parametrize(
    ("name", "changed", "said"),
    [
        ("fixed-cost", {}, "lost sales"),
        ("kanban-line", {}, "more than one"),
        ("lost-sales", {"lead_time": 11}, "at most 10 periods"),
        ("lost-sales", {"sources.supplier.lot_size": 2}, "whole units"),
    ],
)
def test_a_plant_of_another_family_is_refused_with_the_reason(
    name: str, changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(ScenarioError, match=said):
        family.policy(jitgym.load(name, **changed))


def test_a_file_without_such_weights_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    np.savez(path, other=np.zeros(3))
    with pytest.raises(RunError, match="holds no weights"):
        family.read_weights(path)
