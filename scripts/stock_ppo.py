"""Train stock stable-baselines3 PPO, default hyperparameters, on an environment as it is made.

It shows that normalization is the environment's job. Some two minutes a seed; the result stands in
docs/learning.md.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import _common as common
import gymnasium
import numpy as np
from tyro.conf import arg

import jitgym
from jitgym.envs import ActionEncoding, ObservationEncoding, ask
from jitgym.evaluate import interval, rollout
from jitgym.plant import lay_out
from jitgym.report import tables


def main(
    seeds: Annotated[tuple[int, ...], arg(help="of the trainings")] = (0, 1),
    steps: Annotated[int, arg(help="of each training")] = 200_000,
    episodes: common.Episodes = 256,
) -> None:
    """Train on jitgym/LostSales-v0 and evaluate the deterministic policy on the split test."""
    from stable_baselines3 import PPO

    common.expect(bool(seeds) and steps > 0, "no seed or no steps; expected at least one")
    rows = []
    for seed in seeds:
        model = PPO("MlpPolicy", gymnasium.make("jitgym/LostSales-v0"), seed=seed, device="cpu")
        model.learn(steps)
        cost = interval(rollout(policy_of(model), "lost-sales", episodes=episodes)["cost"])
        rows.append((str(seed), steps, cost))
        print(f"seed {seed}: {cost}", file=sys.stderr, flush=True)
    columns = (
        tables.Column("seed", importance=tables.KEPT, align="left"),
        tables.Column("steps"),
        tables.Column("cost", "average cost a period", importance=tables.KEPT),
    )
    print(tables.markdown(tables.Table(columns, rows, notes=["±: 95 % half-width"])))


def policy_of(model: Any) -> Any:
    """Return the model's most likely action as a function of the view."""
    layout = lay_out(jitgym.load("lost-sales"))
    see, do = ObservationEncoding(layout), ActionEncoding(layout, "orders")

    def stock_ppo(view: Any) -> np.ndarray[Any, Any]:
        action, _ = model.predict(see.encode(view), deterministic=True)
        return ask(do, action, view)

    return stock_ppo


if __name__ == "__main__":
    common.run(main)
