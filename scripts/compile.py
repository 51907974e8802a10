"""Compile in advance what every user needs: environments, rollouts and the exact solver.

Machine code is kept in the user's cache; if it is there already, this takes only seconds.
"""

from __future__ import annotations

import gymnasium
import tyro

import agents
import jitgym
from jitgym import evaluate, exact


def main() -> None:
    """Compile the environments, rollouts and the exact solver by running each once."""
    scenario = jitgym.load("lost-sales", lead_time=1)
    policy = agents.make("base-stock", scenario)
    evaluate.rollout(policy, scenario, episodes=1)
    evaluate.rollout(policy, scenario, episodes=1, frozen=True)
    with gymnasium.make("jitgym/LostSales-v0") as env:
        env.reset(seed=0)
        env.step(env.action_space.sample())
    exact.evaluate(policy, scenario)
    exact.solve(scenario)


if __name__ == "__main__":
    tyro.cli(main)
