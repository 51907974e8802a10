"""Myopic2 for lost sales: like `myopic`, but it considers two periods and the next order.

    order = argmin over q of  E c(X + q) + E min over q' of E[c((X + q - D)+ + q') | demand today]
    c(y)  = (1 - ratio) E (y - D)+ + ratio E (D - y)+

X is the stock when the order arrives, L periods from now, as in `myopic`; q' is the order of the
next period, which arrives one period later and is chosen when today's demand is known (Zipkin 2008,
section 4; Morton 1971 for one period). The policy counts the costs of periods L and L + 1, `myopic`
only those of period L, so that it also values a unit that is left over after period L.

Textbook sizing: the ratio is that of the newsvendor, p / (p + h), and a tuner may move it.
Quantities in units.

In the example, demand is one unit or none, nothing is in stock, and an order arrives in the next
period. In that period, one unit costs .1, no unit .4 and two units .3; a unit that is left saves
the next order.

>>> coin = np.array([0.5, 0.5])
>>> myopic_two_orders(np.zeros(1), np.empty((1, 0)), 1, coin, np.array([[0.8]]), most=3).tolist()
[1]
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from jitgym.control.masses import mean_of
from jitgym.control.sizing import stages
from jitgym.scenario import Scenario

from ..base.acting import acting
from ..base.declaration import Array, Classic
from . import myopic
from .myopic import Myopic, after_demand, parameters, stock_on_arrival

LARGEST = 100  # units: with more on order, trying two orders is too slow
SIZES = 16  # units: tables are made for multiples of it, so that there are few tables
FINEST = 1e-12  # of cost: with a smaller difference, the smaller order is chosen


def myopic_two_orders(
    stock: Array, coming: Array, lead_time: int, demand: Array, ratio: Array, most: int
) -> npt.NDArray[np.intp]:
    """Return the order of each row, (batch,), at most `most` units; see `myopic.myopic_orders`.

    The lead time is at least 1; the ratio has shape (batch, 1).
    """
    there = stock_on_arrival(stock, coming, lead_time, demand)
    orders = np.arange(most + 1)
    reach = np.add.outer(np.arange(there.shape[1]), orders)
    short = mean_of(demand) - there @ reach
    costs = there @ left_over(demand, there.shape[1] + most)[reach] + ratio * short
    # Add the cost of the period after, for each possible sale of today.
    sales = after_demand(demand, int(stock.max()) + 1)[stock.astype(np.intp)]
    row, left = np.nonzero(sales)
    stocks, due = left.astype(np.float64), coming[row]
    if lead_time > 1:
        stocks += due[:, 0]
    known = stock_on_arrival(stocks, due[:, 1:], lead_time - 1, demand)
    best = best_next_costs(known, ratio[row], tuple(demand), most)
    np.add.at(costs, row, sales[row, left][:, np.newaxis] * best)
    return np.argmax(costs <= costs.min(axis=1, keepdims=True) + FINEST, axis=1)


def best_next_costs(there: Array, ratio: Array, demand: tuple[float, ...], most: int) -> Array:
    """Return E c((X + q - D)+ + q') with the best q' for each q, (batch, orders).

    `there` holds the probabilities of the stocks X, (batch, stocks), and
    c(y) = E (y - D)+ + ratio E (D - y).
    """
    stocks = there.shape[1]
    left, after = two_orders(demand, SIZES * -(-stocks // SIZES), most)
    rest = there @ left[:stocks].reshape(stocks, -1)
    short = mean_of(np.array(demand)) - np.add.outer(there @ after[:stocks], np.arange(most + 1))
    costs = rest.reshape(short.shape) + ratio[:, :, np.newaxis] * short
    return np.asarray(costs.min(axis=2))


@cache
def two_orders(demand: tuple[float, ...], stocks: int, most: int) -> tuple[Array, Array]:
    """Return the mean units left of each stock x after two periods, and after one period.

    They are E ((x + q - D)+ + q' - D')+, (stocks, orders, orders), and E (x + q - D)+, (stocks,
    orders).
    """
    chances, orders = np.array(demand), np.arange(most + 1)
    size = stocks + most
    sales = after_demand(chances, size)
    left = left_over(chances, size + most)[np.add.outer(np.arange(size), orders)]
    reach = np.add.outer(np.arange(stocks), orders)
    return (sales @ left)[reach], (sales @ np.arange(size))[reach]


def left_over(demand: Array, size: int) -> Array:
    """Return E (y - D)+ for y = 0 ... size - 1, (size,)."""
    covered = np.ones(size)
    reach = min(size, demand.size)
    covered[:reach] = np.minimum(np.cumsum(demand), 1.0)[:reach]
    return np.concatenate([[0.0], np.cumsum(covered)[:-1]])


def why_not(scenario: Scenario) -> str:
    """Return why an order cannot be matched to two periods, or nothing."""
    if reason := myopic.why_not(scenario):
        return reason
    (stage,) = stages(scenario).values()
    if not scenario.mean_lead_time(stage.source):
        return "orders arrive at once, so use myopic"
    if stage.ceiling > LARGEST:
        return f"it tries two orders unit by unit, which is too slow above {LARGEST} units"
    return ""


MYOPIC_TWO = Classic("myopic-2", why_not, parameters, acting(Myopic, method=myopic_two_orders))
