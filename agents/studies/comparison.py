"""A comparison: every policy of a scenario on the same episodes of the split `test`.

    contestants -> rows -> the table of `jitgym.report`

Each classic policy appears twice: sized by the textbook, and tuned by simulation on the split
`tune`. Each learned policy was trained on `train` and chosen on `validate`. No policy has seen
`test`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jitgym import exact
from jitgym.control import Policy
from jitgym.distributions import Recorded
from jitgym.evaluate import is_growing, mean_of, sample, sampled, skew_of
from jitgym.evaluate.by_period import BLOCK, costs_by_period, moving_blocks, mser5
from jitgym.evaluate.steadiness import GROWS
from jitgym.evaluate.strata import plain_sample
from jitgym.plant import lay_out, leading
from jitgym.scenario import Scenario

from .. import classic
from ..improve.look_ahead import usual_base
from ..progress import track
from ..tuning.exactly import ExactlyTuned, tune_exactly
from ..tuning.search import TargetMissed, TunedPolicy, tune
from ..tuning.target import COST, Targets

if TYPE_CHECKING:
    import pandas

    from ..learned.training import Trained


@dataclass(frozen=True)
class Request:
    """The wishes for a tuning; see `agents.tune`."""

    target: Targets | None = None
    least: str = COST  # or "stock": what to minimize if there is a target
    fixed: Mapping[str, Any] = field(default_factory=dict)  # parameters held at these values


@dataclass(frozen=True)
class Classics:
    """The classic policies of a scenario."""

    textbook: tuple[Policy, ...]  # with the parameters that are held fixed, if there are any
    tuned: tuple[TunedPolicy, ...]  # with a target, also those that miss it
    left_out: dict[str, str]  # name -> reason why it does not apply, in one line

    @property
    def entrants(self) -> list[Policy]:
        """Textbook and tuned policies; only tuned ones for slow policies that simulate a base."""
        quick = [p for p in self.textbook if classic.find(p.name.split(" ")[0]).base is None]
        return [*quick, *self.tuned]

    @property
    def tuned_names(self) -> tuple[str, ...]:
        """The names of the tuned policies in tables."""
        return tuple(policy.name for policy in self.tuned)

    @property
    def notes(self) -> list[str]:
        """Notes for the reader: parameters, budgets, and the policies that do not apply."""
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
    """Return those of these classic policies that apply, by the textbook and tuned.

    If a policy misses the target of the request, the best parameters found are among the tuned.
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
    """Return the classics whose parameters no neighbors beat, by name; and why others have none.

    The others do not apply, or cannot be evaluated exactly; the reasons are one line each.
    """
    found: dict[str, ExactlyTuned] = {}
    left_out = {name: classic.find(name).why_not(scenario) for name in names}
    # Policies that contain others come last, when the simpler ones are already tuned.
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
        return "it minimizes cost and cannot be tuned to a target"
    return found.why_not(scenario)


def contest(
    policies: Sequence[Policy],
    scenario: Scenario,
    episodes: int = 256,
    seed: int = 0,
    *,
    strata: bool = True,
    progress: bool = False,
) -> pandas.DataFrame:
    """Return the rows of all policies on the same episodes of the split `test`.

    The column `grows` tells whether the policy has no steady state. Where rare failures decide the
    cost, the episodes are chosen in strata, and the rows have weights (`jitgym.evaluate.strata`);
    without `strata` they are 0 to `episodes` - 1 in any case.
    """
    import pandas

    frames, these = [], sample(scenario, episodes, seed) if strata else plain_sample(episodes)
    for policy in track(policies, f"evaluate on {scenario.name}", shown=progress):
        frame = sampled(policy, scenario, these, seed)
        frames.append(frame.assign(**{GROWS: is_growing(frame, policy, scenario)}))
    return pandas.concat(frames, ignore_index=True)


MOST_EPISODES = 8192
"""Largest number of episodes of a comparison that is run until it is precise."""


def contest_until(
    precision: float,
    policies: Sequence[Policy],
    scenario: Scenario,
    episodes: int = 256,
    seed: int = 0,
    *,
    progress: bool = False,
) -> tuple[pandas.DataFrame, str]:
    """Return rows with as many episodes as a precision needs, and a note about it.

    The 95 % intervals of the leading figure of all policies with a steady state are to reach no
    farther than this share of it. A first run of `episodes` tells how many that takes.
    """
    column = leading(scenario).column
    while True:
        rows = contest(policies, scenario, episodes, seed, progress=progress)
        widest, name = max(
            (
                (share, str(name))
                for name, frame in rows.groupby("policy")
                if (share := _reach(frame, column)) is not None
            ),
            default=(math.inf, ""),
        )
        if math.isinf(widest):
            return rows, f"{episodes:,} episodes: no policy has a steady state, so none is precise."
        if widest <= precision:
            return rows, f"{episodes:,} episodes: every interval is within {100 * precision:g} %."
        if episodes >= MOST_EPISODES:
            needed = episodes * (widest / precision) ** 2
            return rows, (
                f"{episodes:,} episodes, the most that are tried, leave {100 * widest:.2g} % for "
                f"{name}; {100 * precision:g} % would take about {needed:,.0f}."
            )
        wanted = math.ceil(1.1 * episodes * (widest / precision) ** 2)
        episodes = min(max(wanted, episodes + 1), MOST_EPISODES)


def _reach(frame: pandas.DataFrame, column: str) -> float | None:
    """Return how far an interval reaches, as a share of the mean; None without a steady state."""
    found = skew_of(frame, column)
    if frame[GROWS].any() or not found.mean:
        return 0.0 if not found.reach else None
    return found.reach / abs(found.mean)


CHOSEN_ON = "other episodes (the split validate)"
"""Where the reference of a comparison is chosen; no policy has seen these episodes either."""


def best_classic(
    tuned: Sequence[Policy],
    scenario: Scenario,
    episodes: int = 256,
    seed: int = 0,
    *,
    progress: bool = False,
) -> str:
    """Return the name of the best of these policies on the split `validate`; "" if there is none.

    The best of several on the episodes shown would look better than it is (winner's curse), so the
    reference of a comparison is chosen on other episodes. Policies without a steady state are left
    out, unless all of them have none.
    """
    led = leading(scenario)
    found: dict[str, float] = {}
    growing: dict[str, float] = {}
    these = sample(scenario, episodes, seed, "validate")
    for policy in track(tuned, f"choose the reference on {scenario.name}", shown=progress):
        frame = sampled(policy, scenario, these, seed, "validate")
        kept = growing if is_growing(frame, policy, scenario) else found
        kept[policy.name] = mean_of(frame, led.column)
    among = found or growing
    best = min if led.better == "low" else max
    return best(among, key=among.__getitem__) if among else ""


DECISIONS = 3000
"""Largest number of decisions per state in a comparison; more would take minutes."""

MEMORY = 60e6
"""Bytes that the exact solution may take in a comparison: a few seconds of work."""


def solved(scenario: Scenario, memory: float = MEMORY) -> tuple[exact.Solution | None, str]:
    """Return the exact optimum, or None if it takes more bytes than that, and a note about it."""
    try:
        orders = exact.first_bounds(scenario).order
        lots = [units // scenario.sources[name].lot_size for name, units in orders.items()]
        if (decisions := math.prod(1 + most for most in lots)) > DECISIONS:
            return None, (
                f"not solved exactly: {decisions:,.0f} decisions in one state; a comparison tries "
                f"at most {DECISIONS:,}, scripts/solve.py has no such limit"
            )
        solution = exact.solve(scenario, memory=memory)
    except (exact.NotFinite, exact.TooLarge) as error:
        return None, f"not solved exactly: {error}"
    return solution, (
        f"optimal: {solution.cost:.6g}, exact, from {solution.states:,} states in "
        f"{solution.seconds:.1f} s; gaps are relative to it"
    )


ALWAYS = ("kanban", "eoq")
"""Every comparison shows these if they apply, because readers look for them first."""

RIVALS = ("base-stock", "kanban", "eoq", "conwip", "constant")
"""Rivals of a learner, after the simple policy that suits the plant; the first that apply."""


def with_always(names: Sequence[str], scenario: Scenario) -> list[str]:
    """Return the names, and those of `ALWAYS` that apply and are missing."""
    missing = [name for name in ALWAYS if name not in names]
    return [*names, *(name for name in missing if not classic.find(name).why_not(scenario))]


def rivals(scenario: Scenario, count: int = 3) -> list[str]:
    """Return the classic policies that suit a plant, the default rivals of a learner."""
    preferred = dict.fromkeys((usual_base(scenario).name, *RIVALS))
    return [name for name in preferred if not classic.find(name).why_not(scenario)][:count]


def over_time(policy: Policy, reference: Policy, scenario: Scenario, seed: int) -> list[str]:
    """Return a note on the difference to the reference over the time of a recorded path, if any."""
    if not replayed(scenario):
        return []
    costs = [costs_by_period(each, scenario, seed=seed) for each in (policy, reference)]
    warm_up = scenario.horizon.of_split("test")[1]
    apart = moving_blocks((costs[0] - costs[1])[warm_up:])
    return [
        f"{policy.name} minus {reference.name} over the periods of the recorded path: {apart}, the "
        f"95 % interval of moving blocks of {BLOCK} periods; it covers other years as far as they "
        "are like this one"
    ]


def warm_up(policy: Policy, scenario: Scenario, seed: int) -> list[str]:
    """Return a note if MSER-5 leaves out more periods than the warm-up of the scenario."""
    periods, left_out = scenario.horizon.of_split("test")
    if scenario.horizon.ends or replayed(scenario) or scenario.discount is not None:
        return []
    needed = mser5(costs_by_period(policy, scenario, seed=seed))
    if needed <= max(left_out, SLACK * periods):
        return []
    if needed >= periods:
        return [f"the cost of {policy.name} has not settled by the end of {periods:,} periods"]
    return [
        f"the warm-up of {left_out:,} periods is too short: MSER-5 leaves out {needed:,} for "
        f"{policy.name}; set horizon.warm_up"
    ]


SLACK = 0.1
"""A share of the horizon: MSER-5 of noise alone may leave out so much."""


def replayed(scenario: Scenario) -> list[str]:
    """Return the demands that are one recorded path on the split `test`."""
    return [
        name
        for name, demand in scenario.demands.items()
        if isinstance(demand.quantity, Recorded) and demand.quantity.block("test") == 0
    ]


def parameters_of(policies: Iterable[Policy]) -> dict[str, Mapping[str, object]]:
    """Return the parameters of each policy by its name, for a report; empty if it has none."""
    return {policy.name: getattr(policy, "parameters", {}) for policy in policies}


def effort(trained: Trained) -> list[str]:
    """Return notes on a training: its start, its verdict, its effort, and what is not covered."""
    name, start = trained.policy.name, trained.start
    kept = "; the start was kept" if trained.kept else ""
    return [
        f"{name} starts from {start.name}{kept}; " + "; ".join(trained.notes),
        f"{name}: {trained.periods / 1e6:.1f} million periods; CPU seconds: {start.seconds:.0f} "
        f"to tune the start, {trained.seconds:.0f} to train; one training seed: the interval "
        "covers the randomness of the episodes, not that of training",
    ]


def cautions(scenario: Scenario) -> list[str]:
    """Return notes on what the intervals of this scenario do not cover."""
    found = [*scenario.cautions]
    if not (names := replayed(scenario)):
        return found
    return [
        *found,
        f"the demand of {', '.join(names)} is one recorded path, the same in every episode: the "
        "intervals cover the randomness of supply only, not the demand of another year. Policies "
        "were tuned and trained on resampled pieces of earlier records, so a tuned policy may cost "
        "more here than the textbook's",
    ]
