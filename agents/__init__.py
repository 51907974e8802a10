"""Policies by name: classic policies (textbook or tuned), learned policies, the optimal policy.

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
"""The name of the optimal policy, which `jitgym.exact` computes for a small plant."""


def names() -> tuple[str, ...]:
    """Return the names of all classic policies."""
    return tuple(classic.CLASSICS)


def make(
    name: str, scenario: Scenario | str | Path, *, path: str | Path | None = None, **parameters: Any
) -> Policy:
    """Return a policy by name, with its textbook sizes or with the parameters given.

    Parameters
    ----------
    name
        One of `names()`, `look-ahead:` followed by one of them, `optimal`, or one of `LEARNERS`.
    scenario
        The plant that the policy is for: a Scenario, a name of the catalog, or a path.
    path
        The folder of a trained learner, or the file of a saved optimal policy. Without a path, the
        optimal policy is computed now.
    parameters
        The parameters of a classic policy: `level=` of base-stock or, on a line, its local
        `levels=`; `cards=` of kanban and CONWIP, in containers (lots); `quantity=, reorder_point=`
        of eoq; `order=` of constant; `weight=, safety=` of smoothed; `weight=, safety=, periods=`
        of mrp; `reorder_point=, order_up_to=` of s-S; `expedited_level=, regular_level=` of
        dual-index. The file of each policy describes its parameters. Lists go from supplier to
        customer. A parameter that is not given has its textbook size.

    Raises
    ------
    jitgym.ScenarioError
        If there is no such policy or parameter, if the policy does not apply to this plant, or if
        a value is not valid.
    exact.NotFinite, exact.TooLarge
        If the optimal policy cannot be computed.
    """
    scenario = load(scenario)
    if name not in (OPTIMAL, *LEARNERS):
        if path is not None:
            raise ScenarioError(f"{name}: a path is given, but a classic policy takes no path")
        return classic.make(name, scenario, parameters)
    if parameters:
        given = next(iter(parameters))
        raise ScenarioError(f"{name}: unknown parameter {given!r}; this policy has no parameters")
    if name == OPTIMAL:
        return _optimal(scenario, path)
    if path is None:
        raise ScenarioError(f"{name}: no path is given; expected the folder of a trained agent")
    return LEARNERS[name].load(path, scenario)


def train(
    name: str,
    scenario: Scenario | str | Path,
    folder: str | Path,
    *,
    settings: str | Path | None = None,
    **options: Any,
) -> Any:
    """Train a learner by name in a folder, and return the result: `.policy`, `.start`, `.kept`, ...

    The learner starts from the tuned classic with the lowest cost. Its policy replaces the classic
    only if it is better on fresh episodes of the split `validate` (the gate); else the result is
    the classic itself.

    Parameters
    ----------
    name
        One of `LEARNERS`; `learned` chooses the learner that suits the plant.
    scenario
        The plant: a Scenario, a name of the catalog, or a path.
    folder
        The folder for checkpoints and TensorBoard logs.
    settings
        A YAML file of hyperparameters; the default is the file in `configs/agents/`.
    options
        `periods=`, the budget in simulated periods (the settings state the default); `minutes=`
        stops earlier; `start=`, the classic to start from, or "nothing" (from scratch); `seed=`,
        `resume=`, `progress=`. The same arguments give the same policy to
        the last bit, unless `minutes` stops it.

    Raises
    ------
    jitgym.ScenarioError
        If there is no such learner, or the scenario, the settings or an option are wrong.
    evaluate.RunError
        If the folder already holds an agent or, with `resume`, does not hold this one.
    KeyboardInterrupt
        After Ctrl-C, once the checkpoint is written.
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
    """Return in one line why a policy does not apply to a scenario; "" if it applies."""
    return classic.find(name).why_not(load(scenario))


def expect_name(name: str, learners: bool = False) -> None:
    """Raise ScenarioError if no classic policy, or learner if allowed, has this name."""
    if not (learners and name in LEARNERS):
        classic.find(name)
