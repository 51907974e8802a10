"""Distributions agree with those of scipy, and their own functions agree with each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from scipy import stats

from jitgym.distributions import (
    AnyDistribution,
    Binomial,
    Deterministic,
    Distribution,
    Event,
    Finite,
    Gamma,
    Geometric,
    NegativeBinomial,
    Normal,
    Poisson,
    Uniform,
    hazard,
    is_monotone,
)

ALL = [
    Deterministic(value=4),
    Deterministic(value=2.5),
    Poisson(mean=0),
    Poisson(mean=5),
    Poisson(mean=900),
    Geometric(mean=0),
    Geometric(mean=5),
    NegativeBinomial(mean=0, size=2),
    NegativeBinomial(mean=12, size=1.5),
    Uniform(low=2, high=4),
    Uniform(low=3, high=3),
    Gamma(mean=4, cv=0.5),
    Gamma(mean=30, cv=1.4),
    Normal(mean=3, standard_deviation=2),
    Normal(mean=100, standard_deviation=7),
    Binomial(trials=12, probability=0.7),
    Binomial(trials=3, probability=1),
    Binomial(trials=0, probability=0.5),
    Finite(values=(7, 0, 2.5, 7), probabilities=(0.25, 0.5, 0, 0.25)),
    Finite(values=tuple(range(10)), probabilities=(0.1,) * 10),
    Event(rate=1, clock="c").placed(0.25, 0.5),
    Event(rate=2, clock="c").placed(0, 0.5),
    Event(rate=3, clock="c").placed(0.5, 1),
    Event(rate=0, clock="c").placed(0.5, 0.5),
]

SCIPY = [
    (Poisson(mean=5), stats.poisson(5)),
    (Poisson(mean=900), stats.poisson(900)),
    (Geometric(mean=5), stats.geom(1 / 6, loc=-1)),
    (NegativeBinomial(mean=12, size=1.5), stats.nbinom(1.5, 1.5 / 13.5)),
    (Uniform(low=2, high=4), stats.randint(2, 5)),
    (Binomial(trials=12, probability=0.7), stats.binom(12, 0.7)),
]

ROUNDED = [
    (Gamma(mean=4, cv=0.5), stats.gamma(4, scale=1)),
    (Gamma(mean=30, cv=1.4), stats.gamma(1.4**-2, scale=30 * 1.4**2)),
    (Normal(mean=6, standard_deviation=2), stats.norm(6, 2)),
    (Normal(mean=100, standard_deviation=7), stats.norm(100, 7)),
]


def name(value: object) -> str:
    return repr(value) if isinstance(value, Distribution) else ""


@pytest.mark.parametrize(("ours", "theirs"), SCIPY, ids=name)
def test_probabilities_and_moments_equal_those_of_scipy(ours: Distribution, theirs) -> None:
    support, probabilities = ours.pmf()
    np.testing.assert_allclose(probabilities, theirs.pmf(support), rtol=1e-9, atol=3e-16)
    np.testing.assert_allclose(ours.cdf(support[:-1]), theirs.cdf(support[:-1]), rtol=1e-12)
    assert ours.expectation == pytest.approx(theirs.mean(), rel=1e-12)
    assert ours.variance == pytest.approx(theirs.var(), rel=1e-11)
    assert ours.standard_deviation == pytest.approx(theirs.std(), rel=1e-11)


@pytest.mark.parametrize(("ours", "theirs"), SCIPY, ids=name)
def test_quantiles_equal_those_of_scipy(ours: Distribution, theirs) -> None:
    u = np.linspace(0.0005, 0.9995, 1000)
    np.testing.assert_array_equal(ours.quantile(u), theirs.ppf(u))


@pytest.mark.parametrize(("ours", "theirs"), ROUNDED, ids=name)
def test_continuous_distributions_are_rounded_where_that_keeps_the_mean(
    ours: Distribution, theirs
) -> None:
    u = np.linspace(0.0005, 0.9995, 1000)
    np.testing.assert_array_equal(ours.quantile(u), np.maximum(np.rint(theirs.ppf(u)), 0))
    support, probabilities = ours.pmf()
    lower, upper = np.where(support == 0, -np.inf, support - 0.5), support + 0.5
    between = np.where(
        support > theirs.mean(),
        theirs.sf(lower) - theirs.sf(upper),
        theirs.cdf(upper) - theirs.cdf(lower),
    )
    np.testing.assert_allclose(probabilities, between, rtol=1e-9, atol=3e-16)


@pytest.mark.parametrize("distribution", ALL, ids=name)
def test_steps_quantile_and_atoms_agree(distribution: Distribution) -> None:
    values, ends = distribution.steps()
    assert ends[-1] == 1.0
    assert np.all(np.diff(ends, prepend=0.0) > 0)
    assert isinstance(distribution, Event) or np.all(np.diff(values) > 0)
    begins = np.concatenate(([0.0], ends[:-1]))
    np.testing.assert_array_equal(distribution.quantile(begins), values)
    np.testing.assert_array_equal(distribution.quantile(np.nextafter(ends, 0)), values)
    assert distribution.quantile(1.0) == values[-1]

    atoms = distribution.atoms()
    assert [distribution.quantile(u) for u, _ in atoms] == values.tolist()
    assert sum(p for _, p in atoms) == pytest.approx(1, abs=1e-14)
    mean = sum(p * distribution.quantile(u) for u, p in atoms)
    assert distribution.expectation == pytest.approx(mean, rel=1e-12, abs=1e-15)
    assert distribution.support_max == values.max()
    support, probabilities = distribution.pmf()
    np.testing.assert_allclose(distribution.cdf(support), np.cumsum(probabilities), atol=1e-15)
    assert distribution.cdf(-1.0) == 0


@given(st.sampled_from(ALL), st.lists(st.floats(0, 1, exclude_max=True), min_size=2))
def test_the_quantile_is_monotone(distribution: Distribution, u: list[float]) -> None:
    if not isinstance(distribution, Event):
        assert np.all(np.diff(distribution.quantile(np.sort(u))) >= 0)


@given(st.floats(0, 500), st.floats(0.1, 50))
def test_stated_means_and_variances_hold(mean: float, size: float) -> None:
    for distribution, variance in (
        (Poisson(mean=mean), mean),
        (NegativeBinomial(mean=mean, size=size), mean + mean**2 / size),
    ):
        assert distribution.expectation == pytest.approx(mean, rel=1e-6, abs=1e-12)
        assert distribution.variance == pytest.approx(variance, rel=1e-6, abs=1e-12)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=12), st.floats(0, 1, exclude_max=True))
def test_a_finite_distribution_does_not_depend_on_the_order_of_its_values(
    weights: list[int], u: float
) -> None:
    values = tuple(float(v) for v in range(len(weights)))
    shares = tuple(w / sum(weights) for w in weights)
    forth = Finite(values=values, probabilities=shares)
    back = Finite(values=values[::-1], probabilities=shares[::-1])
    assert forth.quantile(u) == back.quantile(u)


def test_an_event_happens_in_its_share_of_the_clock() -> None:
    event = Event(rate=1, clock="machines").placed(0.25, 0.5)
    assert event.quantile(np.array([0.2, 0.25, 0.4, 0.5, 0.9])).tolist() == [0, 1, 1, 0, 0]
    assert event.expectation == 0.25
    assert event.pmf()[1].tolist() == [0.75, 0.25]


def test_an_event_without_a_clock_has_no_expectation() -> None:
    with pytest.raises(ValueError, match="clock 'machines'"):
        _ = Event(rate=1, clock="machines").expectation


def test_the_hazard_determines_the_probabilities() -> None:
    lead_time = Finite(values=(2, 3, 5), probabilities=(0.5, 0.2, 0.3))
    rates = hazard(lead_time)
    survived = np.concatenate(([1.0], np.cumprod(1 - rates)[:-1]))
    np.testing.assert_allclose(rates * survived, [0, 0, 0.5, 0.2, 0, 0.3], atol=1e-15)
    assert not is_monotone(rates)


@pytest.mark.parametrize(
    ("lead_time", "monotone"),
    [
        (Deterministic(value=0), True),
        (Deterministic(value=4), True),
        (Uniform(low=1, high=6), True),
        (Normal(mean=20, standard_deviation=2), True),
        (Binomial(trials=40, probability=0.5), True),
        (Finite(values=(1, 2, 3), probabilities=(0.5, 0.1, 0.4)), False),
        (NegativeBinomial(mean=5, size=0.5), False),
    ],
    ids=name,
)
def test_lead_times_with_a_monotone_hazard_need_no_crossover(
    lead_time: Distribution, monotone: bool
) -> None:
    rates = hazard(lead_time)
    assert is_monotone(rates) is monotone
    assert rates[-1] == 1.0


def test_a_hazard_needs_whole_periods() -> None:
    with pytest.raises(ValueError, match="whole periods"):
        hazard(Deterministic(value=1.5))


class Holder(BaseModel):
    quantity: AnyDistribution


@pytest.mark.parametrize("distribution", ALL, ids=name)
def test_a_distribution_that_is_written_and_read_is_equal(distribution: Distribution) -> None:
    written = distribution.model_dump(exclude_defaults=True)
    again = Holder.model_validate({"quantity": written}).quantity
    if not isinstance(distribution, Event):  # the scenario gives it its share
        assert again == distribution
    assert again.model_dump() == distribution.model_dump()


@pytest.mark.parametrize("number", [3, 2.5])
def test_a_number_is_read_as_a_deterministic_distribution(number: float) -> None:
    assert Holder.model_validate({"quantity": number}).quantity == Deterministic(value=number)


@pytest.mark.parametrize(
    ("given", "expectation"),
    [
        ({"distribution": "uniform", "low": 4, "high": 2}, "at least low, which is 4"),
        (
            {"distribution": "finite", "values": [1, 2], "probabilities": [0.5, 0.4]},
            "sum to 0.9; expected 1",
        ),
        (
            {"distribution": "finite", "values": [1, 2], "probabilities": [1]},
            "expected one for each of the 2 values",
        ),
        ({"distribution": "poisson", "mean": 1e9}, "more than 1,000,000 values"),
        ({"distribution": "binomial", "trials": 2.5, "probability": 0.5}, "integer"),
        (True, "valid"),
    ],
)
def test_faults_are_reported_in_the_words_of_the_user(given: object, expectation: str) -> None:
    with pytest.raises(ValidationError, match=expectation):
        Holder.model_validate({"quantity": given})
