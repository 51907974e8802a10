"""Demand is drawn with the mean that is written, for all kinds, patterns, seasons and scales.

The written mean is computed from the parameters, by the formula of each kind. The drawn mean is
computed from the tables that the compiled plant draws from.
"""

from __future__ import annotations

import math
import re
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from jitgym import ScenarioError
from jitgym.distributions import DemandDistribution, LifeCycle, Regimes, scaled
from jitgym.distributions.base import LARGEST, LEAST_POSITIVE
from jitgym.plant import lay_out
from jitgym.plant.draws import negative_binomial
from jitgym.scenario import Scenario, with_demand

Written = dict[str, Any]


def kind(distribution: str, **parameters: Any) -> Written:
    return {"distribution": distribution, **parameters}


QUANTITIES: list[Written] = [
    kind("deterministic", value=4),
    kind("deterministic", value=2.5),
    kind("deterministic", value=0),
    *(kind("poisson", mean=mean) for mean in (1e-6, 0.3, 10, 3000)),
    *(kind("geometric", mean=mean) for mean in (1e-6, 0.3, 10, 300)),
    *(
        kind("negative-binomial", mean=mean, size=size)
        for mean in (0.01, 0.3, 10, 50)
        for size in (0.5, 1e6, 1e12, LARGEST)
    ),
    kind("negative-binomial", mean=0.3, size=1e-2),
    *(kind("uniform", low=low, high=high) for low, high in ((0, 0), (0, 1), (2, 5), (100, 900))),
    *(
        kind("gamma", mean=mean, cv=cv)
        for mean in (0.001, 0.4, 3, 10.5, 60)
        for cv in (1e-3, 0.1, 0.5, 1.5)
    ),
    *(
        kind("normal", mean=mean, standard_deviation=deviation)
        for mean in (0.001, 0.3, 0.5, 3, 10.5, 100)
        for deviation in (1e-9, 0.1, 2, 50)
    ),
    kind("gamma", mean=0.4, cv=10),
    kind("binomial", trials=1, probability=0.5),
    kind("binomial", trials=3, probability=1),
    kind("binomial", trials=0, probability=0.5),
    kind("binomial", trials=1000, probability=0.001),
    kind("finite", values=[7, 0, 2, 7], probabilities=[0.25, 0.5, 0, 0.25]),
    kind("finite", values=[0, 1], probabilities=[0.9, 0.1]),
    kind("finite", values=[0.5, 2.25], probabilities=[0.75, 0.25]),
    kind("intermittent", probability=0.1, quantity=3),
    kind("intermittent", probability=0.25, quantity=kind("gamma", mean=0.6, cv=0.2)),
    kind(
        "regimes",
        regimes={"low": 2, "high": kind("normal", mean=5, standard_deviation=5)},
        stay={"low": 0.95, "high": 0.8},
    ),
    kind(
        "regimes",
        regimes={"a": 1, "b": 4, "c": kind("poisson", mean=9)},
        stay={"a": 1 - 1e-15, "b": 1 - 1e-14, "c": 0.5},
    ),
    kind("life-cycle", mean=30, standard_deviation_of_level=20, shares=[0.2, 0.5, 0.3]),
    kind("life-cycle", mean=30, standard_deviation_of_level=1e-9, shares=[0.5, 0.5], first=2),
]
FACTORS = (0.0, 0.05, 0.8, 1.2, 7.3)


def written_mean(quantity: Written | float) -> float:
    """Return the mean that follows from the parameters."""
    if not isinstance(quantity, dict):
        return quantity
    it = quantity
    match it["distribution"]:
        case "deterministic":
            return float(it["value"])
        case "uniform":
            return float(it["low"] + it["high"]) / 2
        case "binomial":
            return float(it["trials"] * it["probability"])
        case "finite":
            return math.fsum(v * p for v, p in zip(it["values"], it["probabilities"], strict=True))
        case "intermittent":
            return float(it["probability"]) * written_mean(it["quantity"])
        case "regimes":
            lasts = {name: 1 / (1 - stay) for name, stay in it["stay"].items()}
            shares = {name: last / math.fsum(lasts.values()) for name, last in lasts.items()}
            return math.fsum(shares[name] * written_mean(q) for name, q in it["regimes"].items())
        case "life-cycle":
            return float(it["mean"]) / (it.get("first", 0) + len(it["shares"]))
    return float(it["mean"])


def plant(**demand: Any) -> Scenario:
    data = {
        "name": "shop",
        "period": "one day",
        "horizon": {"ongoing": 10},
        "items": {"shirt": {}},
        "sources": {"printer": {"makes": "shirt"}},
        "demands": {"buyers": {"item": "shirt", "unmet": "lost", **demand}},
    }
    return Scenario.from_document(data)


def drawn_means(scenario: Scenario) -> list[float]:
    """Return the mean of each phase or regime of the demand, from the tables of the plant."""
    plant = lay_out(scenario).plant
    demand = plant.demands[0]
    rows = [int(demand["quantity"])]
    count = int(demand["phases"])
    quantity = scenario.demands["buyers"].quantity
    if isinstance(quantity, Regimes):
        count = len(quantity.regimes)
    if count > 1:
        first = int(demand["phase_rows"])
        rows = plant.numbers[first : first + count].astype(int).tolist()
    return [mean_of_row(plant, row) for row in rows]


def mean_of_row(plant: Any, row: int) -> float:
    first = int(plant.distributions[row]["first"])
    if plant.distributions[row]["channel"] < 0:
        return float(plant.values[first])
    ends = plant.ends[first:]
    size = int(np.argmax(ends == 2.0)) + 1
    widths = np.diff(np.append(ends[: size - 1], 1.0), prepend=0.0)
    return math.fsum(plant.values[first : first + size] * widths)


def shown(value: object) -> str:
    return str(value).replace("'", "") if isinstance(value, dict) else ""


def test_every_kind_of_demand_is_tested_here() -> None:
    union = get_args(get_args(DemandDistribution)[0])
    named = {model.model_fields["distribution"].default for model in union}
    # Events, parts of streams and records have their own tests.
    assert {q["distribution"] for q in QUANTITIES} == named - {"event", "part-of", "recorded"}


@pytest.mark.parametrize("quantity", QUANTITIES, ids=shown)
def test_the_mean_that_is_drawn_equals_the_mean_that_is_written(quantity: Written) -> None:
    scenario = plant(quantity=quantity)
    distribution = scenario.demands["buyers"].quantity
    written = written_mean(quantity)
    assert distribution.expectation == pytest.approx(written, rel=0.002, abs=0)
    drawn = drawn_means(scenario)
    if isinstance(distribution, Regimes):
        for mean, part in zip(drawn, quantity["regimes"].values(), strict=True):
            assert mean == pytest.approx(written_mean(part), rel=0.002, abs=0)
    elif not isinstance(distribution, LifeCycle):  # it depends on the sales so far
        assert drawn == pytest.approx([written], rel=0.002, abs=0)


@pytest.mark.parametrize("quantity", QUANTITIES, ids=shown)
def test_scaled_demand_is_drawn_with_the_scaled_mean(quantity: Written) -> None:
    scenario = plant(quantity=quantity)
    for factor in FACTORS:
        scaled = with_demand(scenario, factor)
        written = factor * written_mean(quantity)
        assert scaled.demands["buyers"].mean == pytest.approx(written, rel=0.004, abs=0), factor
        # Its document says what it is.
        again = Scenario.from_document(scaled.document())
        assert again.demands["buyers"].quantity == scaled.demands["buyers"].quantity


@pytest.mark.parametrize("quantity", QUANTITIES, ids=shown)
def test_patterns_and_seasons_multiply_the_mean_exactly(quantity: Written) -> None:
    pattern, seasons = [1, 0.2, 0, 1.25], {"factors": [1, 3], "periods": 2}
    demand = {"quantity": quantity, "pattern": pattern, "seasons": seasons}
    if quantity["distribution"] in ("regimes", "life-cycle"):
        with pytest.raises(
            ScenarioError, match="pattern: cannot multiply this demand; expected a distribution"
        ):
            plant(**demand)
        return
    scenario = plant(**demand)
    factors = [1, 0.2, 0, 3.75]  # of the pattern, times 1, 1, 3, 3
    written = [factor * written_mean(quantity) for factor in factors]
    assert drawn_means(scenario) == pytest.approx(written, rel=0.004, abs=0)
    assert scenario.demands["buyers"].mean == pytest.approx(np.mean(written), rel=0.004, abs=0)
    more = with_demand(scenario, 1.2)
    assert drawn_means(more) == pytest.approx(1.2 * np.array(written), rel=0.006, abs=0)


numbers = st.floats(-9, 2).map(lambda power: 10.0**power)
spreads = st.floats(-6, 0.5).map(lambda power: 10.0**power)
ANY = st.one_of(
    st.builds(lambda m: kind("poisson", mean=m), numbers),
    st.builds(lambda m: kind("geometric", mean=m), numbers),
    st.builds(lambda m, s: kind("negative-binomial", mean=m, size=s), numbers, spreads),
    st.builds(lambda m, c: kind("gamma", mean=m, cv=c), numbers, spreads),
    st.builds(lambda m, d: kind("normal", mean=m, standard_deviation=d), numbers, numbers),
    st.builds(
        lambda n, p: kind("binomial", trials=n, probability=p), st.integers(0, 999), st.floats(0, 1)
    ),
)


@given(ANY, numbers.map(lambda x: min(x, 100)))
@settings(max_examples=25)
def test_demand_is_drawn_as_written_or_refused(quantity: Written, factor: float) -> None:
    written = written_mean(quantity)
    try:
        demand = plant(quantity=quantity, pattern=[1, factor]).demands["buyers"]
    except ScenarioError:
        return
    assert [phase.expectation for phase in demand.phases] == pytest.approx(
        [written, factor * written], rel=0.01, abs=0
    )


@pytest.mark.parametrize(
    ("quantity", "told"),
    [
        (
            kind("finite", values=[0, LARGEST], probabilities=[1, 1e-17]),
            "is written with mean 0.01 but would be drawn with mean 0; expected",
        ),
        (
            kind("intermittent", probability=1e-17, quantity=1e9),
            "is written with mean 1e-08 but would be drawn with mean 0; expected",
        ),
        (kind("normal", mean=0, standard_deviation=5), "mean: is 0; expected more than 0"),
        (kind("gamma", mean=0.4, cv=1e-9), "cv: is 1e-09; expected at least 1e-06"),
        (kind("normal", mean=5, standard_deviation=LARGEST), "spreads over more than 1,000,000"),
        (kind("poisson", mean=LARGEST), "spreads over more than 1,000,000 values; expected fewer"),
        (
            kind("negative-binomial", mean=5, size=LEAST_POSITIVE),
            "spreads over more than 1,000,000",
        ),
        (
            kind("uniform", low=0, high=int(LARGEST)),
            "high: spreads over more than 1,000,000 values; expected fewer",
        ),
        (
            kind("life-cycle", mean=3, standard_deviation_of_level=LARGEST, shares=[1]),
            "standard_deviation_of_level: is 1e+15, with a mean of 3; this leads to a "
            "negative-binomial distribution whose size is 9e-30; expected at least 1e-12",
        ),
        (
            kind("life-cycle", mean=LARGEST, standard_deviation_of_level=3, shares=[1]),
            "standard_deviation_of_level: is 3, with a mean of 1e+15; this leads to a "
            "negative-binomial distribution that spreads over more than 1,000,000 values",
        ),
    ],
    ids=shown,
)
def test_demand_that_cannot_be_drawn_is_refused_with_the_mean_that_would_be_drawn(
    quantity: Written, told: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        plant(quantity=quantity)
    assert str(caught.value).startswith("scenario: demands.buyers.quantity")
    assert told in str(caught.value)


def parameters_of(quantity: Written) -> list[str]:
    return [name for name, value in quantity.items() if isinstance(value, int | float)]


@pytest.mark.parametrize(
    "quantity", {q["distribution"]: q for q in QUANTITIES if parameters_of(q)}.values(), ids=shown
)
@pytest.mark.parametrize(
    "beyond", [1e17, 1e300, 10**17, 10**300], ids=["1e17", "1e300", "10^17", "10^300"]
)
def test_a_parameter_above_the_limit_is_refused_by_its_name(
    quantity: Written, beyond: float
) -> None:
    for name in parameters_of(quantity):
        with pytest.raises(ScenarioError) as caught:
            plant(quantity=quantity | {name: beyond})
        told = str(caught.value)
        assert told.startswith(f"scenario: demands.buyers.quantity.{name}: ")
        assert re.search(r"expected .*\b(at most |from |a whole number)", told), told


@pytest.mark.parametrize(
    ("quantity", "names"),
    [
        (kind("negative-binomial", mean=5, size=1), ("size",)),
        (kind("gamma", mean=5, cv=1), ("mean",)),
        (kind("normal", mean=5, standard_deviation=1), ("mean", "standard_deviation")),
        (
            kind("life-cycle", mean=5, standard_deviation_of_level=1, shares=[1]),
            ("mean", "standard_deviation_of_level"),
        ),
    ],
    ids=shown,
)
@pytest.mark.parametrize("beyond", [1e-18, 1e-300])
def test_a_parameter_below_the_limit_is_refused_by_its_name(
    quantity: Written, names: tuple[str, ...], beyond: float
) -> None:
    for name in names:
        with pytest.raises(ScenarioError) as caught:
            plant(quantity=quantity | {name: beyond})
        told = f"demands.buyers.quantity.{name}: is {beyond:g}; expected at least 1e-12"
        assert str(caught.value) == f"scenario: {told}"


def test_a_factor_that_cannot_be_drawn_is_refused_by_its_pattern() -> None:
    with pytest.raises(ScenarioError) as caught:
        plant(quantity=kind("geometric", mean=3), pattern=[1, 1e6])
    assert str(caught.value).startswith("scenario: demands.buyers.pattern: multiplies the quantity")
    assert "spreads over more than 1,000,000 values" in str(caught.value)


def test_a_factor_below_a_limit_is_refused_with_the_parameter_and_the_limit() -> None:
    """Nothing is rounded up in silence: what is multiplied has the limits of what is written."""
    quantity = kind("normal", mean=100, standard_deviation=LEAST_POSITIVE)
    fault = (
        "leads to a normal distribution whose standard_deviation is 5e-14; expected at least 1e-12"
    )
    with pytest.raises(ScenarioError) as caught:
        plant(quantity=quantity, pattern=[1, 0.05])
    place = "scenario: demands.buyers.pattern"
    assert str(caught.value) == f"{place}: multiplies the quantity with a factor that {fault}"
    with pytest.raises(ScenarioError) as caught:
        with_demand(plant(quantity=quantity), 0.05)
    assert str(caught.value) == f"scenario: demands.buyers.quantity: times 0.05: {fault}"


def test_scaling_a_distribution_keeps_its_other_parameters() -> None:
    """The coefficient of variation of a normal and a gamma, the size, the share of periods."""

    def times(quantity: Written, factor: float) -> Any:
        return scaled(plant(quantity=quantity).demands["buyers"].quantity, factor)

    for quantity in (
        kind("normal", mean=100, standard_deviation=30),
        kind("gamma", mean=100, cv=0.3),
    ):
        half = times(quantity, 0.5)
        assert half.standard_deviation / half.expectation == pytest.approx(0.3, rel=0.01)
    assert times(kind("negative-binomial", mean=10, size=3), 2).size == 3
    assert times(kind("intermittent", probability=0.1, quantity=3), 2).probability == 0.1
    assert times(kind("uniform", low=2, high=6), 1.5).model_dump() == kind("uniform", low=3, high=9)
    assert times(kind("uniform", low=0, high=10), 1.1).model_dump() == kind(
        "uniform", low=0, high=11
    )
    assert times(kind("uniform", low=0, high=1), 1.5).pmf()[0].tolist() == [0, 1, 2]
    assert times(kind("binomial", trials=10, probability=0.5), 2).probability == 0.5
    assert times(kind("finite", values=[0, 3], probabilities=[0.5, 0.5]), 1.5).pmf()[
        0
    ].tolist() == [0, 4, 5]


def test_scaling_an_event_scales_its_rates() -> None:
    data = plant(quantity=kind("event", rate=0.7, clock="line")).document()
    data["work_centers"] = {"lathe": {"time": kind("event", rate=2, clock="line")}}
    data["sources"]["printer"] |= {"at": "lathe", "time_per_unit": 1}
    scenario = Scenario.from_document(data)
    assert with_demand(scenario, 1.0).demands["buyers"].mean == pytest.approx(0.7 / 2.7)
    told = "drawn with mean 0.295775, not 0.311111; expected new rates"
    with pytest.raises(ScenarioError, match=told):
        with_demand(scenario, 1.2)


@pytest.mark.parametrize("factor", [-1.0, math.nan, math.inf])
def test_a_scale_that_is_not_a_number_of_at_least_0_is_refused(factor: float) -> None:
    with pytest.raises(ScenarioError, match="expected a factor of at least 0"):
        with_demand(plant(quantity=4), factor)


def test_scaling_a_stream_scales_its_parts() -> None:
    data = plant(quantity=4).document()
    data["demands"]["buyers"]["quantity"] = kind("part-of", stream="all", share=0.25)
    data["streams"] = {"all": {"quantity": kind("normal", mean=3, standard_deviation=3)}}
    scenario = Scenario.from_document(data)
    assert scenario.demands["buyers"].mean == pytest.approx(0.75)
    assert with_demand(scenario, 1.3).demands["buyers"].mean == pytest.approx(0.975)


@pytest.mark.parametrize("mean", [0.01, 3, 400])
@pytest.mark.parametrize("size", [0.05, 2, 1e5, 1e9])
def test_the_compiled_negative_binomial_equals_that_of_scipy(mean: float, size: float) -> None:
    u = np.linspace(0.0005, 0.9995, 200)
    drawn = [negative_binomial(x, size, mean) for x in u]
    theirs = stats.nbinom(size, 1 / (1 + mean / size)).ppf(u)
    assert np.mean(drawn != theirs) <= 0.01
    assert np.max(np.abs(drawn - theirs)) <= 1
