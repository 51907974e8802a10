"""Compile in advance what every user needs: rollouts, environments, the solver and branches.

Machine code is kept in the user's cache. If it is there already, this takes seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import gymnasium
import numpy as np

import agents
import jitgym
from agents.branches import Asking, Herd, Points, branch
from agents.learned.corrections import corrected
from jitgym import evaluate, exact
from jitgym.plant import lay_out


def rollouts() -> None:
    """Compile the closed loop, also for frozen plants."""
    scenario = jitgym.load("lost-sales", lead_time=1)
    policy = agents.make("base-stock", scenario)
    evaluate.rollout(policy, scenario, episodes=1)
    evaluate.rollout(policy, scenario, episodes=1, frozen=True)


def environments_and_solver() -> None:
    """Compile the environments' step and the exact solver."""
    with gymnasium.make("jitgym/LostSales-v0") as env:
        env.reset(seed=0)
        env.step(env.action_space.sample())
    scenario = jitgym.load("lost-sales", lead_time=1)
    exact.evaluate(agents.make("base-stock", scenario), scenario)
    exact.solve(scenario)


def branches() -> None:
    """Compile the branches that learners run, of a classic policy and of a net beside it."""
    layout = lay_out(jitgym.load("lost-sales", lead_time=1))
    base = agents.make("base-stock", layout.scenario)
    for policy in (base, corrected(base, layout, np.random.default_rng(0))):
        asking, herd = Asking(policy, layout), Herd(layout, 1, seed=0)
        herd.begin(asking, stagger=1)
        asked = asking(herd.state, herd.memory)
        points = Points(herd.state, herd.memory, herd.keys, herd.period, asked)
        branch(asking, points, asked + 1.0, np.zeros(1, dtype=np.int64))


PARTS: tuple[Callable[[], None], ...] = (rollouts, environments_and_solver, branches)


def main() -> None:
    """Compile the parts in processes of their own."""
    began = time.monotonic()
    with ProcessPoolExecutor(len(PARTS), get_context("spawn")) as processes:
        for part in [processes.submit(part) for part in PARTS]:
            part.result()
    print(f"compiled, or found in the cache, in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
