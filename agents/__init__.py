"""Policies by name: the classics, tuned or from the textbook, the learned ones, and the optimal.

>>> policy = make("base-stock", "lost-sales")
>>> policy.name, policy.parameters
('base-stock (textbook)', {'level': 29})
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jitgym import ScenarioError
from jitgym.catalog import load
from jitgym.control import Policy
from jitgym.plant import lay_out
from jitgym.scenario import Scenario

from . import classic
from . import improve as improve  # its policies join the registry
from .learned import LEARNERS, find
from .tuning.search import TargetMissed, TunedPolicy, Tuning, tune
from .tuning.target import Target

__all__ = [
    "LEARNERS",
    "OPTIMAL",
    "Target",
    "TargetMissed",
    "TunedPolicy",
    "Tuning",
    "expect_name",
    "make",
    "names",
    "train",
    "tune",
    "why_not",
]

OPTIMAL = "optimal"
"""Name of the optimal policy: `jitgym.exact` solves a small plant for it."""


def names() -> tuple[str, ...]:
    """Return the names of all classic policies."""
    return tuple(classic.CLASSICS)


def make(
    name: str, scenario: Scenario | str | Path, *, path: str | Path | None = None, **parameters: Any
) -> Policy:
    """Return a policy by name, sized by the textbook or with the parameters that are given.

    Parameters
    ----------
    name
        One of `names()`, `look-ahead:` and one of them, `optimal`, or one of `LEARNERS`.
    scenario
        The plant that it is for: a Scenario, a name of the catalog, or a path.
    path
        Where a learner was trained, or the table of an optimal policy was saved. Without a path the
        optimal policy is found now.
    parameters
        Of a classic policy: `level=` or, on a line, local `levels=` of base-stock; `cards=` of
        kanban and of CONWIP, in containers (lots); `quantity=, reorder_point=` of eoq; `order=` of
        constant; `weight=, safety=` of smoothed; `weight=, safety=, periods=` of mrp;
        `reorder_point=, order_up_to=` of s-S; `expedited_level=, regular_level=` of dual-index;
        those of others stand in their files. Lists go from supplier to customer. What is left out
        is sized by the textbook.

    Raises
    ------
    jitgym.ScenarioError
        If there is no such policy or parameter, the policy does not apply to this plant, or a value
        makes no sense.
    exact.NotFinite, exact.TooLarge
        If the optimal policy cannot be found.
    """
    scenario = load(scenario)
    if name not in (OPTIMAL, *LEARNERS):
        if path is not None:
            raise ScenarioError(f"{name}: a path is given; a classic policy has none")
        return classic.make(name, scenario, parameters)
    if parameters:
        given = next(iter(parameters))
        raise ScenarioError(f"{name}: unknown parameter {given!r}; it has none")
    if name == OPTIMAL:
        return _optimal(scenario, path)
    if path is None:
        raise ScenarioError(f"{name}: no path is given; expected the folder of a training")
    return LEARNERS[name].load(path, scenario)


def train(
    name: str,
    scenario: Scenario | str | Path,
    folder: str | Path,
    *,
    settings: str | Path | None = None,
    **options: Any,
) -> Any:
    """Train a learner by its name in a folder, and return what came out: `.policy`, `.cost`, ...

    Parameters
    ----------
    name
        One of `LEARNERS`.
    scenario
        The plant: a Scenario, a name of the catalog, or a path.
    folder
        Where checkpoints and TensorBoard's curves go.
    settings
        A YAML file of hyperparameters; by default the usual ones in `configs/agents/`.
    options
        `steps=` or `minutes=` (at least one), `seed=`, `resume=`, `progress=`.

    Raises
    ------
    jitgym.ScenarioError
        If there is no such learner, the scenario or the settings are wrong, or no limit is given.
    evaluate.RunError
        If the folder holds an agent already or, resuming, not this one.
    """
    learner = find(name)
    return learner.train(
        load(scenario),
        learner.read_settings(None if settings is None else Path(settings)),
        folder,
        **options,
    )


def _optimal(scenario: Scenario, path: str | Path | None) -> Policy:
    from jitgym import exact

    if path is None:
        return exact.solve(scenario).policy
    return exact.OptimalPolicy.load(path, lay_out(scenario))


def why_not(name: str, scenario: Scenario | str | Path) -> str:
    """Return in one line why a policy does not apply to a scenario; "" where it does."""
    return classic.find(name).why_not(load(scenario))


def expect_name(name: str, learners: bool = False) -> None:
    """Raise ScenarioError where there is no policy with this name, or no learner where allowed."""
    if not (learners and name in LEARNERS):
        classic.find(name)
