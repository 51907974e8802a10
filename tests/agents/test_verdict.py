"""The verdict of a comparison, in words and figures, and how its reference is chosen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

import agents
import jitgym
from agents.learned.training import Named
from agents.studies import comparison
from agents.studies.verdict import Effort, verdict
from jitgym.evaluate import rollout
from jitgym.plant import lay_out
from jitgym.report import comparisons
from jitgym.report.comparisons import ComparisonRow

NOISE = np.random.default_rng(0).normal(0.0, 1.0, 64)
NOISE -= NOISE.mean()


def compared(
    costs: dict[str, float], reference: str, tuned: Sequence[str] = ("base-stock (tuned)",)
) -> tuple[ComparisonRow, ...]:
    """Return a comparison on lost-sales: these mean costs, common luck, and a little of its own."""
    scenario = jitgym.load("lost-sales")
    rows = comparison.contest(
        [agents.make("base-stock", scenario)], scenario, episodes=64
    )  # a frame with all columns
    frames = [
        rows.assign(policy=name, cost=mean + NOISE + 0.01 * np.roll(NOISE, k))
        for k, (name, mean) in enumerate(costs.items())
    ]
    every = pd.concat(frames, ignore_index=True)
    return comparisons.comparison(every, tuned, 90.0, scenario, reference=reference)


def said(costs: dict[str, float], *efforts: Effort) -> str:
    rows = compared(costs, "base-stock (tuned)")
    return verdict(rows, "base-stock (tuned)", jitgym.load("lost-sales"), efforts).sentence


TUNED = {"base-stock (tuned)": 100.0}


def test_a_saving_is_said_with_its_interval_the_rest_and_the_effort() -> None:
    told = said(TUNED | {"ppo": 92.0, "optimal": 91.0}, Effort("ppo", False, 90.0))
    assert told.startswith("On this plant, ppo saves 8.0 % [8.0, 8.0] against the best tuned")
    assert "1.10 % remains to the optimum" in told  # 92 / 91, on the same tape
    assert "416 per year" in told  # 8 x 52 periods
    assert "1.5 CPU minutes" in told


def test_a_lower_bound_stands_in_for_the_optimum() -> None:
    rows = comparisons.comparison(
        pd.concat(
            [
                rollout(agents.make("base-stock", "lost-sales"), "lost-sales", 32).assign(
                    policy=name, cost=cost + 0.01 * np.sin(np.arange(32.0))
                )
                for name, cost in (TUNED | {"ppo": 92.0}).items()
            ]
        ),
        [*TUNED],
        None,
        jitgym.load("lost-sales"),
        reference="base-stock (tuned)",
    )
    efforts = [Effort("ppo", False, 1.0)]
    found = verdict(rows, "base-stock (tuned)", jitgym.load("lost-sales"), efforts, 80.0)
    assert "at most 15.0 % remains, to a lower bound" in found.sentence


def test_money_has_the_name_that_the_scenario_gives_it() -> None:
    rows = compared(TUNED | {"ppo": 92.0}, "base-stock (tuned)")
    plant = jitgym.load("lost-sales").model_copy(update={"currency": "euros"})
    told = verdict(rows, "base-stock (tuned)", plant, [Effort("ppo", False, 1.0)]).sentence
    assert "416 euros per year" in told


def test_a_policy_that_cannot_be_told_apart_is_not_inferior_within_the_margin() -> None:
    told = said(TUNED | {"ppo": 100.0}, Effort("ppo", False, 1.0))
    assert "Ppo is at most 0.0 % worse, so it is not inferior (margin: 1 %)." in told


@pytest.mark.parametrize(
    ("costs", "effort", "beginning"),
    [
        (
            {},
            None,
            "The best tuned classic is base-stock, average cost per period 100; it is 11.11 %",
        ),
        ({"ppo": 100.0}, Effort("ppo", True, 1.0), "Nothing to gain by learning here: use base"),
        ({"ppo": 100.0}, Effort("ppo", False, 1.0), "No difference can be told between ppo and"),
        ({"ppo": 110.0}, Effort("ppo", False, 1.0), "Use base-stock, the best tuned classic: ppo"),
    ],
)
def test_a_plant_without_a_gain_is_told_plainly(
    costs: dict[str, float], effort: Effort | None, beginning: str
) -> None:
    told = said(TUNED | costs, *([effort] if effort else []))
    assert told.startswith(beginning)


def test_where_nothing_is_to_be_gained_the_numbers_of_the_classic_are_the_advice() -> None:
    rows = compared(TUNED | {"ppo": 100.0}, "base-stock (tuned)")
    plant, kept = jitgym.load("lost-sales"), [Effort("ppo", True, 1.0)]
    numbers = {"order_up_to": 25, "weight": 0.5}
    told = verdict(rows, "base-stock (tuned)", plant, kept, None, numbers).sentence
    assert "use base-stock, as tuned (order up to 25, weight 0.5); it is 11.11 %" in told
    many = {f"levels {k}": [1, 2, 3, 4, 5] for k in range(9)}
    assert "as tuned;" in verdict(rows, "base-stock (tuned)", plant, kept, None, many).sentence


def test_differences_are_taken_to_the_reference_that_was_chosen_elsewhere() -> None:
    """Kanban has better luck on these episodes; the reference is still base-stock."""
    costs = {"base-stock (tuned)": 100.0, "kanban (tuned)": 99.9}
    rows = compared(costs, "base-stock (tuned)", tuple(costs))
    at = {row.policy: row for row in rows}
    assert at["base-stock (tuned)"].difference is None
    difference = at["kanban (tuned)"].difference
    assert difference is not None
    assert difference.mean == pytest.approx(-0.1, abs=0.01)


def test_the_reference_is_the_best_on_validate() -> None:
    scenario = jitgym.load("lost-sales")
    policies = [agents.make("base-stock", scenario, level=level) for level in (33, 25, 20)]
    named = [Named(f"level {k}", policy, lay_out(scenario)) for k, policy in enumerate(policies)]
    chosen = comparison.best_classic(named, scenario, episodes=64)
    assert chosen == "level 1"  # 25 is the best level (Zipkin 2008)
