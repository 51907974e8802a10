"""Train PPO of stable-baselines3 with default hyperparameters on an unchanged environment.

It shows that the normalization of the environment is sufficient. It takes about two minutes per
seed; the result is in docs/learning.md.
"""

from __future__ import annotations

import sys
from typing import Annotated

import _common as common
import gymnasium
from tyro.conf import arg

from jitgym.evaluate import interval, net_policy, rollout
from jitgym.report import tables


def main(
    seeds: Annotated[tuple[int, ...], arg(help="one seed per training")] = (0, 1),
    steps: Annotated[int, arg(help="steps of each training")] = 200_000,
    episodes: common.Episodes = 256,
) -> None:
    """Train on jitgym/LostSales-v0 and evaluate the deterministic policy on the split test."""
    from stable_baselines3 import PPO

    common.expect(
        bool(seeds) and steps > 0, "no seeds or no steps are given; expected at least one of each"
    )
    rows = []
    for seed in seeds:
        model = PPO("MlpPolicy", gymnasium.make("jitgym/LostSales-v0"), seed=seed, device="cpu")
        model.learn(steps)
        policy = net_policy(model, "lost-sales")
        cost = interval(rollout(policy, "lost-sales", episodes=episodes)["cost"])
        rows.append((str(seed), steps, cost))
        print(f"seed {seed}: {cost}", file=sys.stderr, flush=True)
    columns = (
        tables.Column("seed", importance=tables.KEPT, align="left"),
        tables.Column("steps"),
        tables.Column("cost", "average cost per period", importance=tables.KEPT),
    )
    print(tables.markdown(tables.Table(columns, rows, notes=["±: 95 % half-width"])))


if __name__ == "__main__":
    common.run(main)
