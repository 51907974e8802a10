"""Rollouts that begin at a later episode."""

import numpy as np
import pandas as pd
import pytest

import agents
import jitgym
from jitgym import evaluate

SHORT = jitgym.load("lost-sales", **{"horizon.ongoing": 30, "horizon.warm_up": 5})


def constant(view: np.ndarray) -> np.ndarray:
    return np.full(len(view), 5.0)


@pytest.mark.parametrize(
    "policy", [agents.make("base-stock", SHORT), constant], ids=["a rule", "a function"]
)
def test_later_episodes_are_the_rows_of_a_longer_rollout(policy):
    whole = evaluate.rollout(policy, SHORT, episodes=7, seed=3, split="validate")
    later = evaluate.rollout(policy, SHORT, episodes=4, seed=3, split="validate", first=3)
    pd.testing.assert_frame_equal(later, whole[3:].reset_index(drop=True))


@pytest.mark.parametrize("first", [-1, 0.5])
def test_the_first_episode_is_a_whole_number(first):
    with pytest.raises(ValueError, match="first is"):
        evaluate.rollout(constant, SHORT, episodes=4, first=first)
