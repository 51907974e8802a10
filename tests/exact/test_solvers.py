"""The solvers alone, on problems solved by hand."""

import numpy as np
import pytest

from jitgym.exact import solvers
from jitgym.exact.chains import long_run
from tests.processes import arrays_of

# A machine is good (0) or worn (1). Good costs 0 and wears with probability 1/2; worn either runs
# on at a cost of 3, or is repaired at a cost of 4 and is good again. If it runs on, it is worn in
# the long run: 3. If it is repaired, a cycle has 2 good periods and 1 repair on average: 4/3.
MACHINE = arrays_of(
    [
        [(0.0, [(0.5, 0), (0.5, 1)])],
        [(3.0, [(1.0, 1)]), (4.0, [(1.0, 0)])],
    ]
)
# A cycle of three states with period 3 and costs 1, 2, 6; the last has an expensive short cut.
CYCLE = arrays_of(
    [
        [(1.0, [(1.0, 1)])],
        [(2.0, [(1.0, 2)])],
        [(6.0, [(1.0, 0)]), (9.5, [(1.0, 0)])],
    ]
)


def test_the_average_cost_of_a_machine_that_wears_is_right() -> None:
    solved = solvers.average(MACHINE)
    assert solved.lower <= 4 / 3 + 1e-12
    assert solved.upper >= 4 / 3 - 1e-12
    assert solved.upper - solved.lower < 1e-8
    assert solved.choice.tolist() == [0, 2]


def test_the_average_cost_of_a_periodic_chain_is_right() -> None:
    solved = solvers.average(CYCLE)
    assert solved.upper == pytest.approx(3, abs=1e-8)
    assert solved.choice.tolist() == [0, 1, 2]


def test_the_discounted_cost_of_a_machine_that_wears_is_right() -> None:
    # V0 = .9 (V0 + V1) / 2 and V1 = 4 + .9 V0: V0 = 1.8 / (.55 - .405).
    solved = solvers.discounted(MACHINE, 0.9)
    good = 1.8 / (0.55 - 0.405)
    assert solved.value == pytest.approx([good, 4 + 0.9 * good], rel=1e-7)


def test_backward_induction_over_two_periods_is_right() -> None:
    # State 0 pays 5 to be safe in state 2, or 1 and then 10 with probability 1/2 in state 1.
    arrays = arrays_of(
        [
            [(5.0, [(1.0, 2)]), (1.0, [(0.5, 1), (0.5, 2)])],
            [(10.0, [(1.0, 3)])],
            [(0.0, [(1.0, 3)])],
            [],
        ]
    )
    solved = solvers.until_the_end(arrays)
    assert solved.value.tolist() == [5.0, 10.0, 0.0, 0.0]
    assert solved.choice.tolist() == [0, 2, 3, -1]


def test_a_chain_that_may_end_in_two_classes_costs_their_weighted_mean() -> None:
    arrays = arrays_of(
        [
            [(100.0, [(0.25, 1), (0.75, 2)])],
            [(4.0, [(1.0, 1)])],
            [(8.0, [(1.0, 2)])],
        ]
    )
    run = long_run(arrays, np.arange(3), np.array([1.0, 0.0, 0.0]))
    assert run.cost == pytest.approx(7.0)
    assert run.shares == pytest.approx([0.0, 0.25, 0.75])


def test_the_cost_after_a_warm_up_is_right() -> None:
    choice = np.array([0, 2])
    start = np.array([0.0, 1.0])
    # Worn at first, repaired in the warm-up, then good: period 2 costs 0, period 3 .9 x 4 / 2.
    cost = solvers.cost_of_periods(MACHINE, choice, 0.9, 1, 3, start)
    assert cost == pytest.approx(0.9 * 2.0)
