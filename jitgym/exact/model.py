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
