"""The finite Markov decision process, as arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Short = npt.NDArray[np.int32]


class Arrays(NamedTuple):
    """A finite Markov decision process in two factors: decision, then noise.

    A decision has an immediate cost and leads, with certainty or by chance, to post-decision
    states. Each of these has the mean cost of the rest of the period and leads to next states by
    one of the rows of probabilities ("laws"), which many share.
    """

    first: Whole  # first decision of each state, (states + 1,); without decisions: an end
    cost: Floats  # immediate cost of each decision, (decisions,)
    link_first: Whole  # first link of each decision, (decisions + 1,); size 1: each has one link
    link_post: Short  # post-decision state of each link, (links,)
    link_prob: Floats  # its probability; empty where each decision has one link
    post_cost: Floats  # (posts,)
    post_first: Whole  # first transition of each post-decision state, (posts,)
    post_law: Short  # its row of probabilities, (posts,)
    next: Short  # next states, (transitions,)
    law_first: Whole  # (laws + 1,)
    law_prob: Floats

    @property
    def states(self) -> int:
        """The number of states."""
        return self.first.size - 1

    @property
    def decisions(self) -> int:
        """The number of decisions in all states together."""
        return self.cost.size

    @property
    def nbytes(self) -> int:
        """The memory in bytes."""
        return sum(part.nbytes for part in self)


def arrays_of(
    states: list[list[tuple[float, list[tuple[float, int]]]]],
) -> Arrays:
    """Return the arrays of a process written by hand: a list of decisions per state.

    A decision is its cost and a list of (probability, next state).
    """
    decisions = [decision for state in states for decision in state]
    rows = [row for _, row in decisions]
    counts = [len(row) for row in rows]
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Arrays(
        first=np.concatenate([[0], np.cumsum([len(state) for state in states])]).astype(np.int64),
        cost=np.array([cost for cost, _ in decisions], dtype=np.float64),
        link_first=np.zeros(1, dtype=np.int64),
        link_post=np.arange(len(decisions), dtype=np.int32),
        link_prob=np.empty(0),
        post_cost=np.zeros(len(decisions)),
        post_first=starts[:-1].copy(),
        post_law=np.arange(len(decisions), dtype=np.int32),
        next=np.array([j for row in rows for _, j in row], dtype=np.int32),
        law_first=starts,
        law_prob=np.array([p for row in rows for p, _ in row], dtype=np.float64),
    )
