"""`improve`: policy improvement by simulation, in a few generations whose labels are pooled.

    generation 1, 2, ...:
        labels   states of a herd that follows the policy; what each candidate costs more (`labels`)
        fit      a regression of the labels of all generations so far (`fit`)
        margins  how much a candidate must save before it is picked, by group (`margins`)

The policy of generation 0 is the start. Nearly all of the time goes into labels, so that they are
what the budget is counted in: a generation ends at its share of the budget.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field

from jitgym.control import Policy
from jitgym.control.net import Net, untrained
from jitgym.distributions import Positive

from ...branches import Asking, Herd
from ..checkpoint import expect_like
from ..headroom import WARM_UP, Headroom, check, unimproved
from ..session import Problem, Stored
from ..settings import Budgeted, Count, Share, Width
from .fit import Data, fitted
from .labels import label
from .margins import chosen
from .picking import Picking

GENERATIONS = 100  # at most: seeds of the fits of one training


class Settings(Budgeted):
    """Hyperparameters; configs/agents/improve.yaml gives the reason for each number."""

    plants: Annotated[int, Field(ge=2)]  # of the herd: states that are labelled together
    between: Count  # periods between two labelled states of a plant
    tapes: Count  # per state
    rare_tapes: Annotated[int, Field(ge=0, le=1000)]  # more of them, with a rare event
    cap: Count  # periods after which a pair is stopped
    generations: Annotated[list[Share], Field(min_length=1)]  # budget used at the end of each
    margins: Annotated[list[Positive], Field(min_length=1)]  # beside infinity, in the groups' scale
    episodes: Annotated[int, Field(ge=2, le=64)]  # of `validate`, on which margins are chosen
    rounds: Count  # turns through all groups, at most
    epochs: Count
    minibatch: Count
    learning_rate: Positive  # at the start; it falls linearly to 0
    clip: Positive  # of the differences, in the group's scale
    layers: Annotated[list[Width], Field(min_length=2, max_length=2)]
    interval: Share  # share of the budget between two looks


class ImproveSession:
    """An improvement in generations."""

    def __init__(self, problem: Problem, settings: Settings) -> None:
        self.problem, self.settings = problem, settings
        self.start = unimproved(problem)
        self.policy = self.start
        self.data = Data.empty(self.start.features.width, self.start.candidates)
        self.herd = Herd(problem.layout, settings.plants, problem.seed)
        self.generation, self.unmet = 0, 0.0
        self.headroom, self.periods = Headroom(0.0, 0.0, 0), 0
        self._shown: tuple[Policy, Stored] = (problem.start.policy, {})

    @property
    def is_over(self) -> bool:
        """Whether all generations are done."""
        return self.generation == len(self.settings.generations)

    def advance(self) -> None:
        """Label states until the next look, or until the generation ends; then fit and choose."""
        if self.periods == 0:
            self._begin()
        budget = self.problem.periods
        stop = self.periods + self.settings.interval * budget
        ends = self.settings.generations[self.generation] * budget
        ends = max(ends - self._periods_of_margins, self.periods + 1.0)
        while self.periods < min(stop, ends):
            self._label()
        if self.periods >= ends:
            self._fit()

    def _begin(self) -> None:
        self.headroom = check(self.problem)
        asking = Asking(self.policy, self.problem.layout)
        stagger = min(WARM_UP, self.herd.plant.periods - 1)
        self.herd.begin(asking, stagger)
        self.herd.follow(asking, WARM_UP)
        self.periods = self.headroom.periods + self.herd.size * (stagger // 2 + WARM_UP)

    def _label(self) -> None:
        settings, herd = self.settings, self.herd
        herd.follow(Asking(self.policy, self.problem.layout), settings.between)
        labels = label(
            self.policy, herd, settings.tapes, settings.cap, self.data.states, settings.rare_tapes
        )
        self.data.add(labels.features, labels.picked, labels.difference)
        self.periods += labels.periods + herd.size * settings.between
        self.unmet = labels.unmet

    def _fit(self) -> None:
        settings, seed = self.settings, self.problem.seed
        net = fitted(
            self.data,
            self.start.candidates,
            hidden=settings.layers[0],
            epochs=settings.epochs,
            minibatch=settings.minibatch,
            learning_rate=settings.learning_rate,
            clip=settings.clip,
            seed=GENERATIONS * seed + self.generation,
        )
        layout = self.problem.layout
        policy = Picking("improved", layout, self.start.base, net, self.start.margins)
        margins, periods = chosen(
            policy, settings.margins, settings.episodes, settings.rounds, seed
        )
        self.periods += periods
        self._become(policy.with_margins(margins))
        self.generation += 1
        if not self.is_over:
            self.herd.follow(Asking(self.policy, layout), WARM_UP)
            self.periods += WARM_UP * self.herd.size

    @property
    def _periods_of_margins(self) -> int:
        settings, plant = self.settings, self.problem.layout.plant_in("validate")
        groups, options = self.start.candidates.groups, len(settings.margins)
        return settings.episodes * plant.periods * (options * groups + options + 1)

    def _become(self, policy: Picking) -> None:
        self.policy = policy
        self._shown = policy, stored_policy(policy)

    def candidate(self) -> tuple[Policy, Stored]:
        """Return the policy of the last generation; before the first one, the start."""
        return self._shown

    def figures(self) -> dict[str, float]:
        """Return figures of the training."""
        found = {
            "headroom": self.headroom.gain,
            "headroom's standard error": self.headroom.error,
            "generation": float(self.generation),
            "labelled states": float(self.data.states),
            "unmet pairs": self.unmet,
        }
        names, candidates = list(self.problem.scenario.sources), self.start.candidates
        for j, c in enumerate(candidates.first[:-1]):
            name = f"margin of {names[candidates.source[c]]}"
            found[name] = float(self.policy.margins[0, j])
        return found

    def snapshot(self) -> Stored:
        """Return all that changes."""
        herd = self.herd.snapshot()
        return {
            "herd": {
                name: torch.from_numpy(part.view(np.int64) if part.dtype == np.uint64 else part)
                for name, part in herd.items()
            },
            "data": {name: torch.from_numpy(part.copy()) for name, part in vars(self.data).items()},
            "policy": self._shown[1],
            "generation": self.generation,
            "unmet": self.unmet,
            "headroom": [self.headroom.gain, self.headroom.error, self.headroom.periods],
            "periods": self.periods,
        }

    def restore(self, stored: Stored) -> None:
        """Go on from a snapshot."""
        herd = {name: part.numpy() for name, part in stored["herd"].items()}
        herd["keys"] = herd["keys"].view(np.uint64)
        self.herd.restore(herd)
        self.data = Data(**{name: part.numpy().copy() for name, part in stored["data"].items()})
        self.generation = int(stored["generation"])
        self.unmet, self.periods = float(stored["unmet"]), int(stored["periods"])
        gain, error, periods = stored["headroom"]
        self.headroom = Headroom(float(gain), float(error), int(periods))
        if stored["policy"]:
            self._become(self._made(stored["policy"]))

    def _made(self, stored: Stored) -> Picking:
        return made(self.problem, stored)


def stored_policy(policy: Picking) -> Stored:
    """Return net and margins as tensors."""
    net = {name: torch.from_numpy(np.array(part)) for name, part in policy.net._asdict().items()}
    return {"net": net, "margins": torch.from_numpy(policy.margins.copy())}


def made(problem: Problem, stored: Stored) -> Picking:
    """Return the policy of a stored net and its margins."""
    net = Net(**{name: part.numpy().copy() for name, part in stored["net"].items()})
    margins = stored["margins"].numpy().copy()
    return Picking("improved", problem.layout, problem.start.policy, net, margins)


def begin(problem: Problem, settings: Settings) -> ImproveSession:
    """Return a new session."""
    return ImproveSession(problem, settings)


def restored(problem: Problem, settings: Settings, stored: Stored, path: Path) -> Policy:
    """Return the policy of a stored net. Raises RunError if it does not fit the plant."""
    start = unimproved(problem)
    width = start.features.width
    net = untrained(np.zeros(width), np.ones(width), settings.layers[0], start.candidates.total, 0)
    known: Any = stored_policy(Picking("improved", start.layout, start.base, net, start.margins))
    expect_like(stored, known, path, "policy")
    return made(problem, stored)
