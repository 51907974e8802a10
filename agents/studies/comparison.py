"""A comparison: every policy of a scenario on the same episodes of the split `test`.

    contestants -> rows -> the table of `jitgym.report`

Each classic policy stands in it twice, sized by the textbook and tuned by simulation on the split
`tune`; each learned one was trained on `train` and chosen on `validate`. None has seen `test`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jitgym import exact
from jitgym.control import Policy
from jitgym.distributions import Recorded
from jitgym.evaluate import is_growing, rollout
from jitgym.evaluate.steadiness import GROWS
from jitgym.plant import lay_out
from jitgym.scenario import Scenario

from .. import classic
from ..improve.look_ahead import usual_base
from ..progress import track
from ..tuning.exactly import ExactlyTuned, tune_exactly
from ..tuning.search import TargetMissed, TunedPolicy, tune
from ..tuning.target import COST, Targets

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Request:
    """What a tuning is asked for."""

    target: Targets | None = None
    least: str = COST  # or "stock": what is made small where there is a target
    fixed: Mapping[str, Any] = field(default_factory=dict)  # parameters that keep these values


@dataclass(frozen=True)
class Classics:
    """The classic policies of a scenario."""

    textbook: tuple[Policy, ...]  # with the parameters that are held fixed, where there are some
    tuned: tuple[TunedPolicy, ...]  # with a target also those that miss it
    left_out: dict[str, str]  # name -> in one line why it does not apply

    @property
    def entrants(self) -> list[Policy]:
        """Both of each, but of one that is slow, because it simulates on a base, only the tuned."""
        quick = [p for p in self.textbook if classic.find(p.name.split(" ")[0]).base is None]
        return [*quick, *self.tuned]

    @property
    def tuned_names(self) -> tuple[str, ...]:
        """What tables call the tuned ones."""
        return tuple(policy.name for policy in self.tuned)

    @property
    def notes(self) -> list[str]:
        """What a reader should know of them: budgets, parameters, and who is left out."""
        found = [
            f"{policy.name}: {_written(policy)}; {policy.tuning.periods / 1e6:.1f} million "
            f"periods, {policy.tuning.seconds:.1f} CPU seconds"
            for policy in self.tuned
        ]
        return found + [f"{name} does not apply: {why}" for name, why in self.left_out.items()]


def _written(policy: TunedPolicy) -> str:
    return ", ".join(f"{name} {value}" for name, value in policy.parameters.items())


def classics(
    scenario: Scenario,
    names: Sequence[str],
    seed: int = 0,
    *,
    request: Request | None = None,
    progress: bool = False,
) -> Classics:
    """Return the classic policies with these names that apply, by the textbook and tuned.

    A policy that misses the target of the request is among the tuned with the best that was found.
    """
    request = request or Request()
    left_out = {name: _why_not(name, scenario, request.target) for name in names}
    fitting = [name for name, why in left_out.items() if not why]
    return Classics(
        textbook=tuple(_textbook(name, scenario, request.fixed) for name in fitting),
        tuned=tuple(_tuned(name, scenario, seed, request, progress) for name in fitting),
        left_out={name: why for name, why in left_out.items() if why},
    )


def _textbook(name: str, scenario: Scenario, fixed: Mapping[str, Any]) -> Policy:
    found = classic.find(name)
    values = classic.values_of(name, found.parameters(scenario), fixed)
    return found.build(f"{name} (textbook)", lay_out(scenario), values)


def _tuned(
    name: str, scenario: Scenario, seed: int, request: Request, progress: bool
) -> TunedPolicy:
    try:
        return tune(
            name,
            scenario,
            seed,
            target=request.target,
            least=request.least,
            fixed=request.fixed,
            progress=progress,
        )
    except TargetMissed as missed:
        return missed.best


def classics_exactly(
    scenario: Scenario, names: Sequence[str], seed: int = 0, *, progress: bool = False
) -> tuple[dict[str, ExactlyTuned], dict[str, str]]:
    """Return the classics with these names that no neighboring parameters beat, each by its name.

    And of the others in one line why not: they do not apply, or cannot be evaluated exactly.
    """
    found: dict[str, ExactlyTuned] = {}
    left_out = {name: classic.find(name).why_not(scenario) for name in names}
    # Those that hold others come last: what they hold is known by then.
    for name in sorted(names, key=lambda name: len(classic.find(name).holds)):
        if left_out[name]:
            continue
        try:
            found[name] = tune_exactly(name, scenario, seed, known=found, progress=progress)
        except (exact.NotFinite, exact.TooLarge) as error:
            left_out[name] = str(error)
    return found, {name: why for name, why in left_out.items() if why}


def _why_not(name: str, scenario: Scenario, target: Targets | None) -> str:
    found = classic.find(name)
    if target is not None and found.base is not None:
        return "it follows costs, and is tuned to no target"
    return found.why_not(scenario)


def contest(
    policies: Sequence[Policy],
    scenario: Scenario,
    episodes: int = 256,
    seed: int = 0,
    *,
    progress: bool = False,
) -> pandas.DataFrame:
    """Return the rows of all policies on the same episodes of the split `test`.

    With a column `grows`: whether the policy's average has no steady state.
    """
    import pandas

    frames = []
    for policy in track(policies, f"evaluate on {scenario.name}", shown=progress):
        frame = rollout(policy, scenario, episodes=episodes, seed=seed)
        frames.append(frame.assign(**{GROWS: is_growing(frame, policy, scenario)}))
    return pandas.concat(frames, ignore_index=True)


DECISIONS = 3000
"""In one state, that a comparison tries: more take minutes before memory ends."""

MEMORY = 60e6
"""Bytes that the exact solution may take in a comparison: some seconds of work."""


def solved(scenario: Scenario) -> tuple[exact.Solution | None, str]:
    """Return the exact optimum where the plant is small enough, and what to say of it."""
    try:
        orders = exact.first_bounds(scenario).order
        lots = [units // scenario.sources[name].lot_size for name, units in orders.items()]
        if (decisions := math.prod(1 + most for most in lots)) > DECISIONS:
            return None, (
                f"not solved exactly: {decisions:,.0f} decisions in one state; at most "
                f"{DECISIONS:,} are tried in a comparison, scripts/solve.py has no such limit"
            )
        solution = exact.solve(scenario, memory=MEMORY)
    except (exact.NotFinite, exact.TooLarge) as error:
        return None, f"not solved exactly: {error}"
    return solution, (
        f"optimal: {solution.cost:.6g}, exact, of {solution.states:,} states in "
        f"{solution.seconds:.1f} s; gaps are over it"
    )


ALWAYS = ("kanban", "eoq")
"""Shown in every comparison where they apply, best or not: what readers look for first."""

RIVALS = ("base-stock", "kanban", "eoq", "conwip", "constant")
"""Of a learner, beside the simple policy that suits the plant; the first that apply."""


def with_always(names: Sequence[str], scenario: Scenario) -> list[str]:
    """Return the names, and of those that every comparison shows the ones that apply."""
    missing = [name for name in ALWAYS if name not in names]
    return [*names, *(name for name in missing if not classic.find(name).why_not(scenario))]


def rivals(scenario: Scenario, count: int = 3) -> list[str]:
    """Return the classic policies that suit a plant: what a learner is first held against."""
    preferred = dict.fromkeys((usual_base(scenario).name, *RIVALS))
    return [name for name in preferred if not classic.find(name).why_not(scenario)][:count]


def textbook_costs(names: Sequence[str], scenario: Scenario, seed: int = 0) -> dict[str, float]:
    """Return what policies by the textbook cost on the split `validate`: lines beside a curve."""
    fitting = [classic.find(name) for name in names]
    quick = [c for c in fitting if c.base is None and not c.why_not(scenario)]
    made = [classic.make(each.name, scenario, {}) for each in quick]
    return {
        policy.name: float(rollout(policy, scenario, 64, seed, "validate")["cost"].mean())
        for policy in made
    }


def parameters_of(policies: Iterable[Policy]) -> dict[str, Mapping[str, object]]:
    """Return the parameters of each policy by its name, for a report; none of one without."""
    return {policy.name: getattr(policy, "parameters", {}) for policy in policies}


def effort(agent: str, steps: int, seconds: float) -> str:
    """Return what a learner's row cost, and what its interval does not cover."""
    return (
        f"{agent}: {steps:,} steps, {seconds:.0f} s; one training seed: the interval covers the "
        "episodes, not the chance of training"
    )


def cautions(scenario: Scenario) -> list[str]:
    """Return what the intervals of this scenario do not cover."""
    found = [*scenario.cautions]
    found += ["the reference is the tuned classic that is cheapest on these very episodes"]
    replayed = [
        name
        for name, demand in scenario.demands.items()
        if isinstance(demand.quantity, Recorded) and demand.quantity.block("test") == 0
    ]
    if not replayed:
        return found
    return [
        *found,
        f"the demand of {', '.join(replayed)} is one recorded path, the same in every episode: the "
        "intervals cover the supplier's chance only, not another year's demand. Policies were "
        "tuned and trained on resampled weeks of earlier records, so a tuned policy may lose to "
        "the textbook's here",
    ]
