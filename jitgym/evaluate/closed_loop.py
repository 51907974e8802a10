"""The closed loop of policy and plant: in each period view, ask, and step.

Every policy that is not a compiled rule runs here, in a rollout, a tuner's trial, a step in demand
or a look-ahead. These differ in their episodes and in what they read from the engine after each
period. Policies that are compiled rules have a loop in machine code (`compiled_loop`), which gives
the same results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from jitgym.control import Policy, ViewLayout
from jitgym.control.encodings import ActionEncoding
from jitgym.envs import Engine
from jitgym.plant import Layout

Array = npt.NDArray[np.float64]

Decide = Callable[[Array], Array]
"""States (batch, cells) -> asked quantities, priorities and projects (batch, asked cells)."""


def run(engine: Engine, decide: Decide, periods: int) -> Iterator[int]:
    """Run this many periods with `decide`, and yield the number of each period after its step.

    The results of the period are in the engine: `cost`, `terms`, `sums`, `state`.
    """
    for period in range(periods):
        engine.step(decide(engine.state))
        yield period


def engine_of(layout: Layout, batch: int, split: str) -> Engine:
    """Return an engine that takes quantities in units; its plants have no episode yet."""
    engine = Engine(layout, batch, ActionEncoding(layout, "asked"))
    engine.split = split
    return engine


def at_start(layout: Layout, split: str, seed: int, episodes: npt.NDArray[np.int64]) -> Engine:
    """Return an engine with row k at the start of episode `episodes[k]` of the seed."""
    engine = engine_of(layout, episodes.size, split)
    engine.seed[:] = seed
    engine.episode[:] = episodes
    engine.place(np.ones(episodes.size, dtype=np.bool_))
    return engine


def deciding(policy: Policy, layout: Layout, batch: int) -> Decide:
    """Return the policy as a function of states; it keeps the memory and checks what is asked."""
    view, memory = ViewLayout(layout), policy.start(batch)

    def decide(state: Array) -> Array:
        asked = np.asarray(policy.act(view.of(state), memory), dtype=np.float64)
        return checked(asked, batch, layout, policy.name)

    return decide


def checked(asked: Array, batch: int, layout: Layout, policy: str) -> Array:
    """Return quantities, priorities and projects to begin, (batch, asked cells).

    Raises ValueError if what a policy asked for has a wrong shape or is not finite.
    """
    sources = layout.plant.sources.size
    if asked.ndim == 1 and sources == 1:
        asked = asked[:, np.newaxis]
    widths = (sources, 2 * sources, layout.asked_cells)
    if asked.ndim != 2 or asked.shape[0] != batch or asked.shape[1] not in widths:
        raise ValueError(
            f"policy {policy!r} asked for an array of shape {asked.shape}; "
            f"expected (batch, sources) = {(batch, sources)}"
        )
    if not np.isfinite(asked).all():
        raise ValueError(
            f"policy {policy!r} asked for a quantity that is not finite; expected numbers"
        )
    whole = np.zeros((batch, layout.asked_cells))
    whole[:, : asked.shape[1]] = asked
    return whole
