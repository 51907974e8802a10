"""Compile in advance what every user needs: rollouts, environments and the exact solver.

Machine code is kept in the user's cache. If it is there already, this takes seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import gymnasium

import agents
import jitgym
from jitgym import evaluate, exact


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


PARTS: tuple[Callable[[], None], ...] = (rollouts, environments_and_solver)


def main() -> None:
    """Compile the parts in two processes."""
    began = time.monotonic()
    with ProcessPoolExecutor(len(PARTS), get_context("spawn")) as processes:
        for part in [processes.submit(part) for part in PARTS]:
            part.result()
    print(f"compiled, or found in the cache, in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
