"""Wagner-Whitin: the lots with the lowest cost for known requirements, as a rolling plan.

    g(t) = min over n of K + h (r(t+1) + 2 r(t+2) + ... + (n-1) r(t+n-1)) + g(t + n)

K is the fixed cost of an order, h the holding cost per unit and period, r(t) the requirement of a
period, n the number of periods that a lot covers (Wagner and Whitin 1958; section 3.7 of Snyder and
Shen). A period without requirements needs no order. `lot_sizing` explains how plan, safety stock
and forecast work together.

>>> best_lots([90, 120, 80, 70], fixed=500, holding=2)  # Snyder and Shen, example 3.9
([210, 0, 150, 0], 1380.0)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..base.declaration import Array
from .lot_sizing import rolling


def best_lots(
    requirements: Sequence[float], fixed: float, holding: float
) -> tuple[list[int], float]:
    """Return the lot of each period, and the total cost of ordering and holding."""
    needs = np.array(requirements, dtype=np.float64)
    lots, start, cost = np.zeros(needs.size), 0, plans(needs[np.newaxis], fixed, holding)[1][0]
    while start < needs.size:
        ahead = int(plans(needs[np.newaxis, start:], fixed, holding)[0][0])
        lots[start] = needs[start : start + ahead].sum()
        start += ahead
    return lots.astype(int).tolist(), float(cost)


def plans(needs: Array, fixed: float, holding: float) -> tuple[npt.NDArray[np.intp], Array]:
    """Return how many periods the first lot of each row covers, and the cost of its plan.

    `needs` are requirements, (batch, periods). The recursion goes backward in time.
    """
    batch, periods = needs.shape
    after = np.zeros((batch, periods + 1))  # g(t), the cost from each period on
    covers = np.ones(batch, dtype=np.intp)
    for t in range(periods - 1, -1, -1):
        waits = np.arange(periods - t)
        held = holding * np.cumsum(waits * needs[:, t:], axis=1)
        costs = fixed + held + after[:, t + 1 :]
        covers = costs.argmin(axis=1) + 1
        nothing = needs[:, t] <= 0
        covers[nothing] = 1
        after[:, t] = np.where(nothing, after[:, t + 1], costs.min(axis=1))
    return covers, after[:, 0]


def first_lot(needs: Array, fixed: float, holding: float) -> npt.NDArray[np.intp]:
    """Return how many periods the first lot of each row covers, (batch,)."""
    return plans(needs, fixed, holding)[0]


WAGNER_WHITIN = rolling("wagner-whitin", first_lot)
