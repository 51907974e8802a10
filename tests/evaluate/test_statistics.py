import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jitgym.evaluate.statistics import by_episode, familywise, interval, paired


def rows(costs, seed=0, split="test", **columns):
    """Return rollout rows of one policy, one per episode."""
    frame = pd.DataFrame({"split": split, "seed": seed, "episode": range(len(costs)), **columns})
    return frame.assign(cost=np.asarray(costs, dtype=float))


def test_the_interval_is_that_of_the_textbook():
    # Law (2015), example 4.26: ten observations, 90 % interval 1.34 +- 0.24.
    observations = [1.20, 1.50, 1.68, 1.89, 0.95, 1.49, 1.58, 1.55, 0.50, 1.09]
    found = interval(observations, level=0.90)
    assert found.mean == pytest.approx(1.34, abs=0.005)
    assert found.half_width == pytest.approx(0.24, abs=0.005)
    assert (found.low, found.high) == (
        found.mean - found.half_width,
        found.mean + found.half_width,
    )
    assert (found.n, found.level) == (10, 0.90)


def test_an_interval_covers_the_mean_as_often_as_its_level_says():
    samples = np.random.default_rng(0).normal(3, 2, size=(4000, 5))
    intervals = [interval(sample) for sample in samples]
    covered = np.mean([one.low <= 3 <= one.high for one in intervals])
    assert covered == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / 4000))


def test_undefined_values_are_left_out_instead_of_counted_as_zero():
    assert interval([1, math.nan, 2, 3]) == interval([1, 2, 3])


@pytest.mark.parametrize(("values", "n"), [([], 0), ([math.nan, math.nan], 0)])
def test_the_mean_of_no_values_is_undefined(values, n):
    found = interval(values)
    assert found.n == n
    assert math.isnan(found.mean)
    assert math.isnan(found.half_width)


def test_one_value_has_a_mean_but_an_unknown_interval():
    found = interval([7.0])
    assert found.mean == 7
    assert math.isnan(found.half_width)


@pytest.mark.parametrize("level", [0, 1, 95, -0.5])
def test_a_level_that_is_not_a_probability_is_refused(level):
    with pytest.raises(ValueError, match="between 0 and 1"):
        interval([1, 2], level)


def test_infinite_values_are_refused():
    with pytest.raises(ValueError, match="infinite"):
        interval([1, math.inf])


@given(arrays(float, (20, 2), elements=st.floats(-1e3, 1e3)))
def test_paired_returns_the_interval_of_the_differences(costs):
    assert paired(rows(costs[:, 0]), rows(costs[:, 1])) == interval(costs[:, 0] - costs[:, 1])


def test_paired_matches_rows_by_episode_and_not_by_position():
    a = pd.concat([rows([1, 2, 4], seed=0), rows([8, 16, 32], seed=1)])
    b = a.assign(cost=a.cost - 0.5).sample(frac=1, random_state=0)
    difference = paired(a, b)
    assert (difference.mean, difference.half_width) == (0.5, 0)


def test_paired_takes_any_column_and_leaves_undefined_pairs_out():
    a = rows([0, 0, 0], fill_rate=[0.9, math.nan, 0.7])
    b = rows([0, 0, 0], fill_rate=[0.8, 0.8, 0.5])
    assert paired(a, b, "fill_rate") == interval([0.9 - 0.8, 0.7 - 0.5])


@pytest.mark.parametrize(
    "other",
    [rows([1, 2]), rows([1, 2, 3, 4]), rows([1, 2, 3], seed=1), rows([1, 2, 3], split="train")],
    ids=["fewer", "more", "other seed", "other split"],
)
def test_unmatched_episodes_are_refused(other):
    with pytest.raises(ValueError, match=r"same tape.*split, seed and episodes"):
        paired(rows([1, 2, 3]), other)


def test_rows_of_two_policies_are_refused():
    with pytest.raises(ValueError, match=r"seed 0, episode 0\) occurs twice"):
        by_episode(pd.concat([rows([1, 2]), rows([3, 4])]))


def test_a_missing_column_is_named():
    with pytest.raises(ValueError, match="rows lack seed, turnover"):
        by_episode(rows([1, 2]).drop(columns="seed"), "turnover")


def test_a_family_of_one_interval_keeps_its_level():
    assert familywise(0.95, 1) == pytest.approx(0.95)


def test_the_intervals_of_a_family_hold_together_at_its_level():
    each = familywise(0.999, 42)
    assert 42 * (1 - each) == pytest.approx(0.001)


def test_a_family_without_members_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        familywise(0.95, 0)
