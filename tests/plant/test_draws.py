"""Draws whose distribution depends on the policy: quantiles of one uniform, equal to scipy's."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest
from scipy import special, stats

from jitgym.plant.draws import (
    binomial,
    negative_binomial,
    normal_cdf,
    normal_quantile,
    share_of,
)

UNIFORMS = np.random.default_rng(5).random(2000)
EDGES = np.array([0.0, 2.0**-53, 1e-9, 1 - 1e-9, 1 - 1e-12])
HIGHEST = 1 - 2.0**-53


@numba.vectorize
def binomials(u, units, chance):
    return binomial(u, units, chance)


@numba.vectorize
def negative_binomials(u, size, mean):
    return negative_binomial(u, size, mean)


@numba.vectorize
def shares_of(u, units, chance):
    return share_of(u, units, chance)


@numba.vectorize
def normal_quantiles(u):
    return normal_quantile(u)


@numba.vectorize
def normal_cdfs(x):
    return normal_cdf(x)


@pytest.mark.parametrize("chance", [1e-6, 0.01, 0.3, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("units", [1, 2, 7, 40, 1000, 20_000])
def test_a_binomial_draw_equals_the_quantile_of_scipy(units: int, chance: float) -> None:
    u = np.concatenate([UNIFORMS, EDGES])
    drawn = binomials(u, float(units), chance)
    exact = stats.binom(units, chance)
    # u = 0 is in [0, 1): the smallest value with mass. At the end of a step, rounding decides.
    np.testing.assert_array_equal(drawn[:2000], exact.ppf(UNIFORMS))
    at_edges = drawn[2000:]
    assert (exact.cdf(at_edges) >= EDGES - 1e-10).all()
    assert (exact.cdf(at_edges - 1) <= EDGES + 1e-10).all()


@pytest.mark.parametrize("mean", [0.001, 0.7, 12, 400, 5000])
@pytest.mark.parametrize("size", [0.3, 1, 7.5, 900])
def test_a_negative_binomial_draw_equals_the_quantile_of_scipy(size: float, mean: float) -> None:
    exact = stats.nbinom(size, size / (size + mean))
    np.testing.assert_array_equal(negative_binomials(UNIFORMS, size, mean), exact.ppf(UNIFORMS))


def test_a_draw_at_the_largest_uniform_is_rare_but_plausible() -> None:
    # A sum of probabilities may never reach u; all of 1,000 units must not be defective then.
    assert binomials(HIGHEST, 1000.0, 0.01) == pytest.approx(42, abs=5)
    assert negative_binomials(HIGHEST, 8.0, 20.0) < 250


@pytest.mark.parametrize(
    ("units", "chance", "drawn"), [(0.0, 0.5, 0), (5.0, 0.0, 0), (5.0, 1.0, 5), (0.5, 0.5, 0)]
)
def test_a_draw_with_a_certain_result_returns_it(units: float, chance: float, drawn: float) -> None:
    assert (binomials(UNIFORMS, units, chance) == drawn).all()


def test_more_units_or_a_higher_probability_never_give_fewer_hits() -> None:
    u = UNIFORMS[:, np.newaxis]
    assert (np.diff(binomials(u, np.arange(0.0, 60.0), 0.3), axis=1) >= 0).all()
    assert (np.diff(binomials(u, 40.0, np.linspace(0, 1, 51)), axis=1) >= 0).all()
    assert (np.diff(negative_binomials(u, 3.0, np.linspace(0, 90, 51)), axis=1) >= 0).all()


@pytest.mark.parametrize("chance", [0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("units", [0.3, 2.5, 7.75])
def test_fractions_of_a_unit_are_hit_with_the_right_mean(units: float, chance: float) -> None:
    hit = shares_of(UNIFORMS, units, chance)
    assert (hit >= 0).all()
    assert (hit <= units).all()
    assert hit.mean() == pytest.approx(units * chance, abs=0.15)


def test_the_normal_quantile_is_exact_to_14_digits() -> None:
    u = np.concatenate([np.linspace(1e-4, 1 - 1e-4, 9999), 10.0 ** -np.arange(1.0, 300)])
    exact = special.ndtri(u)
    np.testing.assert_allclose(normal_quantiles(u), exact, rtol=1e-14, atol=1e-14)
    assert math.isfinite(normal_quantiles(0.0))
    assert normal_quantiles(HIGHEST) == pytest.approx(special.ndtri(HIGHEST), rel=1e-12)


def test_the_normal_distribution_function_equals_that_of_scipy() -> None:
    x = np.linspace(-37, 37, 4001)
    np.testing.assert_allclose(normal_cdfs(x), special.ndtr(x), rtol=1e-12, atol=0)
