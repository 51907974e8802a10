import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jitgym.evaluate.statistics import (
    Interval,
    by_episode,
    familywise,
    interval,
    lower_bound,
    paired,
    skew_interval,
    skew_paired,
    two_level,
    upper_bound,
    written,
)


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


MEAN_OF_LOGNORMAL = math.exp(1.164**2 / 2)
SKEWED = {  # name -> (generator, n) -> values of mean 0
    "normal": lambda generator, n: generator.normal(size=n),
    "exponential": lambda generator, n: generator.exponential(size=n) - 1,
    "lognormal, skewness 10": lambda generator, n: (
        generator.lognormal(0, 1.164, n) - MEAN_OF_LOGNORMAL
    ),
    "lognormal, mirrored": lambda generator, n: (
        MEAN_OF_LOGNORMAL - generator.lognormal(0, 1.164, n)
    ),
}


def at_most(share, samples):
    """Return the most of a number of samples that may err, three standard errors above."""
    return samples * share + 3 * math.sqrt(samples * share * (1 - share))


@pytest.mark.parametrize("n", [64, 512])
@pytest.mark.parametrize("values", SKEWED)
def test_intervals_of_95_percent_cover_the_mean_of_skewed_values_in_93_to_97(values, n):
    generator, samples = np.random.default_rng(1), 500
    found = [skew_interval(SKEWED[values](generator, n)) for _ in range(samples)]
    covered = sum(one.low <= 0 <= one.high for one in found)
    assert samples - covered <= at_most(0.07, samples)
    assert covered <= at_most(0.97, samples)  # nor is it far too wide


@pytest.mark.parametrize("n", [64, 512])
@pytest.mark.parametrize("values", SKEWED)
def test_one_sided_bounds_err_at_most_as_often_as_they_say_on_either_side(values, n):
    generator, samples = np.random.default_rng(2), 500
    drawn = [SKEWED[values](generator, n) for _ in range(samples)]
    for level in (0.975, 0.9875):
        most = at_most(1 - level, samples)
        assert sum(upper_bound(one, level) < 0 for one in drawn) <= most
        assert sum(lower_bound(one, level) > 0 for one in drawn) <= most


def test_the_interval_of_student_does_not_cover_the_mean_of_such_values():
    generator, samples = np.random.default_rng(1), 500
    drawn = [SKEWED["lognormal, skewness 10"](generator, 64) for _ in range(samples)]
    missed = sum(not one.low <= 0 <= one.high for one in map(interval, drawn))
    assert missed > at_most(0.07, samples)  # so the tests above show something


def test_bounds_mirror_each_other():
    values = np.random.default_rng(0).exponential(size=50)
    assert upper_bound(values) == pytest.approx(-lower_bound(-values), rel=1e-12)


def test_bounds_of_symmetric_values_are_students():
    values = np.concatenate([np.arange(50.0), -np.arange(50.0)])
    found, students = skew_interval(values), interval(values)
    assert (found.low, found.high) == pytest.approx((students.low, students.high))
    assert upper_bound(values, 0.975) == pytest.approx(students.high)


def test_an_upper_bound_is_halls_by_hand():
    # 0 (nine times) and 10: mean 1, standard deviation sqrt(10), skewness sqrt(10).
    values = [0.0] * 9 + [10.0]
    t, a = 2.2621571628, 1.0  # t(9, .975); sqrt(10) / sqrt(10)
    assert skew_interval(values).high == pytest.approx(1 + 3 * (1 - np.cbrt(1 - a * (t + a / 6))))


@pytest.mark.parametrize("bound", [lower_bound, upper_bound])
def test_bounds_treat_undefined_and_infinite_values_as_intervals_do(bound):
    assert bound([1, math.nan, 2, 4]) == bound([1, 2, 4])
    assert math.isnan(bound([7.0]))
    assert bound([3.0, 3.0, 3.0]) == 3
    assert math.isfinite(bound([1.0, 2.0]))
    with pytest.raises(ValueError, match="infinite"):
        bound([1, math.inf])
    with pytest.raises(ValueError, match="between 0 and 1"):
        bound([1, 2], 95)


def test_skew_paired_is_the_interval_of_the_differences():
    costs = np.random.default_rng(0).exponential(size=(20, 2))
    assert skew_paired(rows(costs[:, 0]), rows(costs[:, 1])) == skew_interval(
        costs[:, 0] - costs[:, 1]
    )


def test_an_asymmetric_interval_prints_both_ends():
    found = Interval(9.21731, 0.05, 256, 0.95, (9.18731, 9.28731))
    assert str(found) == "9.217 [9.187, 9.287]"
    assert written([found, Interval(11.5, 1.25, 256, 0.95)]) == [
        "9.217 [9.187, 9.287]",
        "11.500 ± 1.250",
    ]
    assert str(skew_interval([7.0])) == "7 ± n/a"
    assert written([skew_interval([7.0])]) == ["7.00000 ± n/a"]


def test_a_scaled_interval_is_that_of_the_scaled_values():
    values = np.random.default_rng(0).exponential(size=20)
    for factor in (-2.0, 0.5):
        found, wanted = skew_interval(values).scaled(factor), skew_interval(factor * values)
        assert (found.mean, found.low, found.high) == pytest.approx(
            (wanted.mean, wanted.low, wanted.high)
        )


@pytest.mark.parametrize(
    ("of_seeds", "of_episodes"), [(1.0, 1.0), (0.125, 1.0), (0.0, 1.0)], ids=str
)
def test_two_level_intervals_of_five_seeds_cover_the_mean(of_seeds, of_episodes):
    generator, samples = np.random.default_rng(0), 150
    missed = 0
    for _ in range(samples):
        costs = of_seeds * generator.normal(size=(5, 1)) + generator.normal(size=(5, 64))
        found = two_level(costs + of_episodes * (generator.exponential(size=64) - 1))
        missed += not found.low <= 0 <= found.high
    assert missed <= at_most(0.05, samples)


def test_a_two_level_interval_by_hand():
    # Seeds 0 and 2, all episodes alike: Student's over the seeds, 1 +- t(1, .975) * 1.
    found = two_level([[0.0, 0.0, 0.0], [2.0, 2.0, 2.0]])
    assert (found.mean, found.n, found.level) == (1, 2, 0.95)
    assert (found.low, found.high) == pytest.approx((1 - 12.7062047, 1 + 12.7062047))
    assert two_level([[5.0, 5.0], [5.0, 5.0]]).half_width == 0


def test_a_two_level_interval_repeats():
    costs = np.random.default_rng(0).exponential(size=(5, 30))
    assert two_level(costs, seed=3) == two_level(costs, seed=3)


def test_one_training_seed_does_not_show_how_much_seeds_differ():
    assert math.isnan(two_level([[1.0, 2.0, 3.0]]).half_width)


@pytest.mark.parametrize("costs", [[1.0, 2.0], [[1.0, math.nan], [1.0, 2.0]], [[], []]])
def test_costs_of_seeds_are_a_table_of_finite_numbers(costs):
    with pytest.raises(ValueError, match=r"training seeds, episodes"):
        two_level(costs)
