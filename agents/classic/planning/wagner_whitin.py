"""Wagner-Whitin: the lots that cost least for known requirements, as a rolling plan.

    g(t) = min over n of K + h (r(t+1) + 2 r(t+2) + ... + (n-1) r(t+n-1)) + g(t + n)

K fixed cost of an order, h holding cost a unit and period, r(t) the requirement of a period, n how
many periods a lot covers (Wagner and Whitin 1958; section 3.7 of Snyder and Shen). A period without
requirements needs no order. How plan, safety stock and forecast go together: `lot_sizing`.

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
    """Return the lots of each period and what ordering and holding cost in all."""
    needs = np.array(requirements, dtype=np.float64)
    lots, start, cost = np.zeros(needs.size), 0, plans(needs[np.newaxis], fixed, holding)[1][0]
    while start < needs.size:
        ahead = int(plans(needs[np.newaxis, start:], fixed, holding)[0][0])
        lots[start] = needs[start : start + ahead].sum()
        start += ahead
    return lots.astype(int).tolist(), float(cost)


def plans(needs: Array, fixed: float, holding: float) -> tuple[npt.NDArray[np.intp], Array]:
    """Return how many periods the first lot of each row covers, and the cost of its plan.

    Periods backwards, requirements (batch, periods).
    """
    batch, periods = needs.shape
    after = np.zeros((batch, periods + 1))  # g from each period on
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
