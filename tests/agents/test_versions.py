"""Agents of another version are refused, and given states pass through the adapter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import agents
from agents.learned.checkpoint import Checkpoint, described
from agents.learned.sb3.vecenv import PlantVecEnv
from agents.learned.start import Start
from jitgym.catalog import load
from jitgym.envs import VectorPlant
from jitgym.evaluate import RunError
from jitgym.plant import lay_out

LOST_SALES = load("lost-sales")


@pytest.mark.parametrize("name", ["encoding", "dynamics"])
@pytest.mark.parametrize("older", [False, True])
def test_an_agent_of_another_version_is_refused_by_name(
    name: str, older: bool, tmp_path: Path
) -> None:
    start = Start(agents.make("base-stock", LOST_SALES), "base-stock", {"level": 20.0}, {}, 0, 0.0)
    record = described("learned", lay_out(LOST_SALES), start, {}, 0, None)
    Checkpoint(tmp_path / "same").begin(record)
    assert Checkpoint(tmp_path / "same").read_record()["versions"] == record["versions"]
    assert set(record["versions"]) == {"encoding", "dynamics"}
    other = dict(record["versions"]) | {name: 99}
    if older:
        del other[name]
    Checkpoint(tmp_path / "other").begin(record | {"versions": other})
    said = f"it was made with version {0 if older else 99} of {name}, and this is version"
    with pytest.raises(RunError, match=r"agent\.yaml: " + said):
        Checkpoint(tmp_path / "other").read_record()


def test_the_adapter_passes_given_states_through() -> None:
    plants = VectorPlant(LOST_SALES, 3)
    same_step = VectorPlant(LOST_SALES, 3, autoreset_mode=AutoresetMode.SAME_STEP)
    environments = PlantVecEnv(same_step)
    plants.reset(seed=1)
    plants.step(np.array([[0.5], [0.0], [1.0]]))
    states = plants.engine.state.copy()
    for given in ({"state": states}, [{"state": row} for row in states]):
        environments.seed(5)
        environments.set_options(given)
        observation = environments.reset()
        np.testing.assert_array_equal(same_step.engine.state, states)
        expected, _ = plants.reset(seed=[5, 6, 7], options={"state": states})
        np.testing.assert_array_equal(observation, expected)
    environments.reset()  # options apply to one reset
    assert (same_step.engine.state != states).any()
    environments.set_options([{"state": states[0]}, {}, {}])
    with pytest.raises(ValueError, match="options differ"):
        environments.reset()
