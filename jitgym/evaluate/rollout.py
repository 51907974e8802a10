"""Rollout: run a policy on the episodes of a seed; each episode gives one row."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from jitgym.catalog import load
from jitgym.control import Policy, View, as_policy
from jitgym.envs.engine import MOST_SEED, expect_split
from jitgym.errors import whole_number
from jitgym.plant import Layout, episode_keys, kpis, kpis_of, lay_out
from jitgym.scenario import Scenario

from . import closed_loop
from .compiled_loop import Outcome, run_rules

if TYPE_CHECKING:
    import pandas


def rollout(
    policy: Policy | Callable[[View], npt.ArrayLike],
    scenario: Scenario | str,
    episodes: int = 256,
    seed: int = 0,
    split: str = "test",
    frozen: bool | None = None,
    *,
    first: int = 0,
    numbers: npt.ArrayLike | None = None,
) -> pandas.DataFrame:
    """Run a policy on episodes 0 to `episodes` - 1 of a seed; every policy faces the same world.

    Parameters
    ----------
    policy
        A policy, or a plain function of the view: (batch, cells) -> (batch, sources), in units.
    scenario
        The plant: a Scenario, a catalog name, or a path.
    episodes, seed, split
        Row e is the episode (split, seed, e), replayed by an environment's
        `reset(seed=seed, options={"split": split, "episode": e})`.
    frozen
        Whether to compile the program for this plant first. That takes up to a second (ten seconds
        the first time after installation), and then runs up to six times as fast; the rows are the
        same. None: automatically, once compilation pays off. A policy without a compiled rule does
        not gain from it.
    first, numbers
        The number of the first episode, if it is not 0; or the numbers of all, (episodes,).

    Returns
    -------
    One row per episode: `cost` (the scenario's yardstick, in money), the ledger's terms that add up
    to it, and the KPIs; nan where a KPI is not defined.

    Raises
    ------
    ValueError
        If `episodes`, `seed` or `first` is not a whole number, the split is unknown, the policy was
        made for a plant with other cells, or what it asks for has a wrong shape or is not finite.
    """
    import pandas  # a slow import, so only here

    episodes = whole_number("episodes", episodes, least=1)
    seed = whole_number("seed", seed, 0, MOST_SEED)
    first = whole_number("first", first, 0, MOST_SEED - episodes)
    expect_split(split)
    scenario = load(scenario)
    policy = as_policy(policy)
    kpis_of(scenario)  # a wrong KPI name is reported before the episodes run
    layout = lay_out(scenario)
    made_for = getattr(policy, "layout", layout)
    if made_for.state != layout.state:  # compiled code would read wrong cells
        raise ValueError(
            f"policy {policy.name!r} was made for {made_for.scenario.name!r} with other cells than "
            f"{scenario.name!r} has; expected a policy made for this scenario"
        )
    if _shape(made_for.scenario) != _shape(scenario):
        raise ValueError(
            f"policy {policy.name!r} was made for other lots or another bill of materials than "
            f"{scenario.name!r} has; expected a policy made for this scenario"
        )
    if numbers is None:
        numbers = np.arange(first, first + episodes)
    numbers = np.asarray(numbers, dtype=np.int64)
    if numbers.shape != (episodes,):
        raise ValueError(f"numbers has shape {numbers.shape}; expected ({episodes},)")
    keys = episode_keys(split, seed, numbers)
    if policy.rule is not None:
        outcome = run_rules(layout, policy.rule, keys, split, is_frozen=frozen)
    else:
        outcome = _run_batch(layout, policy, seed, split, numbers)
    columns: dict[str, object] = {
        "scenario": scenario.name,
        "policy": policy.name,
        "split": split,
        "seed": seed,
        "episode": numbers,
        "cost": outcome.cost[0],
    }
    columns |= {term: outcome.terms[0, :, k] for k, term in enumerate(layout.terms)}
    periods, warm_up = scenario.horizon.of_split(split)
    columns |= kpis(layout, outcome.sums[0], periods - warm_up)
    return pandas.DataFrame(columns)


def _shape(scenario: Scenario) -> list[tuple[object, ...]]:
    """Return what the numbers of a policy depend on: items, materials and lots of each source."""
    return [(s.makes, s.consumes, s.lot_size) for s in scenario.sources.values()]


def _run_batch(
    layout: Layout, policy: Policy, seed: int, split: str, numbers: npt.NDArray[np.int64]
) -> Outcome:
    episodes = numbers.size
    engine = closed_loop.at_start(layout, split, seed, numbers)
    decide = closed_loop.deciding(policy, layout, episodes)
    plant = engine.plant
    cost = np.zeros((1, episodes))
    terms = np.zeros((1, episodes, len(layout.terms)))
    weight = plant.average
    for period in closed_loop.run(engine, decide, plant.periods):
        if period >= plant.warm_up:
            cost[0] += weight * engine.cost
            terms[0] += weight * engine.terms
            weight *= plant.discount
    return Outcome(cost, terms, engine.sums[np.newaxis])
