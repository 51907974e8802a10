"""Train PPO of stable-baselines3 with default hyperparameters on unchanged environments.

It shows what an off-the-shelf learner reaches on the default control, beside the textbook and the
tuned base-stock policy. It takes about four minutes for each scenario and seed; the result is in
docs/stock-ppo.md.
"""

from __future__ import annotations

import sys
from typing import Annotated

import _common as common
import gymnasium
from tyro.conf import Positional, arg

import agents
from jitgym import catalog
from jitgym.catalog import load
from jitgym.evaluate import interval, net_policy, rollout
from jitgym.report import tables
from jitgym.scenario import Scenario

MOST_SOURCES = 4  # of the scenarios that are trained by default
NOTE = "±: 95 % half-width"
COLUMNS = (
    tables.Column("scenario", importance=tables.KEPT, align="left"),
    tables.Column("seed"),
    tables.Column("cost", "cost of PPO", importance=tables.KEPT),
    tables.Column("textbook", "textbook base-stock", importance=tables.KEPT),
    tables.Column("tuned", "tuned base-stock", importance=tables.KEPT),
    tables.Column("ratio", "PPO / tuned"),
)


def small() -> list[Scenario]:
    """Return the scenarios with one to four sources: of the catalog, and lines of two and three."""
    lines = [load("line", stations=stations) for stations in (2, 3)]
    named = [load(name) for name in catalog.names()]
    return [scenario for scenario in (*named, *lines) if len(scenario.sources) <= MOST_SOURCES]


def main(
    scenarios: Annotated[
        Positional[tuple[str, ...]],
        arg(metavar="SCENARIO...", help="by default all with one to four sources"),
    ] = (),
    seeds: Annotated[tuple[int, ...], arg(help="one seed per training")] = (0,),
    steps: Annotated[int, arg(help="steps of each training")] = 300_000,
    episodes: common.Episodes = 256,
) -> None:
    """Train on each scenario, and evaluate the deterministic policy on the split test."""
    from stable_baselines3 import PPO

    common.expect(
        bool(seeds) and steps > 0, "no seeds or no steps are given; expected at least one of each"
    )
    rows, below, above = [], 0, 0
    for scenario in [load(name) for name in scenarios] or small():
        classics = [
            agents.make("base-stock", scenario),
            agents.tune("base-stock", scenario, seed=0),
        ]
        textbook, tuned = (
            interval(rollout(policy, scenario, episodes=episodes)["cost"]) for policy in classics
        )
        for seed in seeds:
            env = gymnasium.make("jitgym/Plant-v0", scenario=scenario)
            model = PPO("MlpPolicy", env, seed=seed, device="cpu").learn(steps)
            cost = interval(rollout(net_policy(model, scenario), scenario, episodes)["cost"])
            rows.append((scenario.name, seed, cost, textbook, tuned, cost.mean / tuned.mean))
            below, above = below + (cost.mean < textbook.mean), above + (cost.mean > 2 * tuned.mean)
            print(
                f"{scenario.name}, seed {seed}: {cost}, tuned base-stock {tuned}",
                file=sys.stderr,
                flush=True,
            )
    counts = (
        f"{below} of {len(rows)} trainings cost less than the textbook base-stock, {above} more "
        "than twice the tuned one"
    )
    notes = [f"{steps:,} steps of each training", counts, NOTE]
    print(tables.markdown(tables.Table(COLUMNS, rows, notes=notes)))


if __name__ == "__main__":
    common.run(main)
