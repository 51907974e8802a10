"""Figures over several scenarios, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from jitgym.evaluate.aggregates import (
    bootstrapped,
    interquartile_mean,
    probability_of_improvement,
    profile,
)


def test_the_interquartile_mean_by_hand() -> None:
    # Eight scores: two are left out at each end; (3 + 4 + 5 + 6) / 4.
    assert interquartile_mean([[8.0, 1.0, 3.0, 4.0], [5.0, 6.0, 2.0, 1e6]]) == 4.5
    assert interquartile_mean([7.0]) == 7.0
    assert interquartile_mean([1.0, 2.0, 9.0]) == 4.0  # a quarter of three, rounded down, is none
    with pytest.raises(ValueError, match="no score"):
        interquartile_mean([])


def test_the_probability_of_improvement_by_hand() -> None:
    # First scenario: 1 < 2, 1 < 3, 3 > 2, 3 = 3: (1 + 1 + 0 + .5) / 4; second: all lower.
    ours, theirs = [[1.0, 3.0], [1.0]], [[2.0, 3.0], [5.0, 6.0]]
    assert probability_of_improvement(ours, theirs) == pytest.approx((0.625 + 1.0) / 2)
    assert probability_of_improvement(theirs, ours) == pytest.approx(1 - (0.625 + 1.0) / 2)
    with pytest.raises(ValueError, match="expected the same"):
        probability_of_improvement([[1.0]], [])


def test_a_profile_never_falls() -> None:
    shares = profile([[0.8, 1.1], [0.95, 2.0]], [0.5, 0.9, 1.0, 1.5, 3.0])
    assert shares == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_the_bootstrap_draws_runs_within_each_scenario() -> None:
    def spread(each: list[np.ndarray]) -> float:
        return float(each[1].mean() - each[0].mean())

    found = bootstrapped(spread, [[0.0, 0.0], [10.0, 12.0, 11.0]])
    assert found.mean == 11.0
    assert 10.0 <= found.low < 11.0 < found.high <= 12.0
    assert math.isnan(bootstrapped(spread, [[0.0], [1.0]]).half_width)
