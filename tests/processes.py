"""Markov decision processes for tests, written by hand."""

from __future__ import annotations

import numpy as np

from jitgym.exact.model import Arrays


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
