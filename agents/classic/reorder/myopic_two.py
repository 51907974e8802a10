"""Myopic2 for lost sales: `myopic` with a view of two periods, the next order chosen when it comes.

    order = argmin over q of  E c(X + q) + E min over q' of E[c((X + q - D)+ + q') | demand today]
    c(y)  = (1 - ratio) E (y - D)+ + ratio E (D - y)+

X is the stock that will be there when the order arrives, L periods from now, as in `myopic`; q' the
order of the next period, which arrives a period later and is chosen when today's demand is known
(Zipkin 2008, section 4; Morton 1971 for one period). It sees the costs of periods L and L + 1,
`myopic` those of period L only: of a unit that is left over then it sees what comes of it.

Textbook sizing: the ratio is the newsvendor's, p / (p + h). A tuner may move it. Quantities in
units. Demand is one unit or none, nothing is in stock, an order arrives in the next period: one
unit costs .1 there where none costs .4 and two .3; what is left of it saves the next order.

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

LARGEST = 100  # units: where more is on order at times, two orders are too many to try
SIZES = 16  # units: tables are made for multiples of it, so that few are
FINEST = 1e-12  # of cost: what differs less is as good, and the smaller order is taken


def myopic_two_orders(
    stock: Array, coming: Array, lead_time: int, demand: Array, ratio: Array, most: int
) -> npt.NDArray[np.intp]:
    """Return the order of each row, (batch,), at most `most`; see `myopic.myopic_orders`.

    The lead time is 1 or more; the ratio is (batch, 1).
    """
    there = stock_on_arrival(stock, coming, lead_time, demand)
    orders = np.arange(most + 1)
    reach = np.add.outer(np.arange(there.shape[1]), orders)
    short = mean_of(demand) - there @ reach
    costs = there @ left_over(demand, there.shape[1] + most)[reach] + ratio * short
    # And of the period after, in the light of each sale that there may be today.
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
    """Return E c((X + q - D)+ + q') with the best q' of each q, (batch, orders).

    Stocks X with chances (batch, stocks). c(y) = E (y - D)+ + ratio E (D - y)
    """
    stocks = there.shape[1]
    left, after = two_orders(demand, SIZES * -(-stocks // SIZES), most)
    rest = there @ left[:stocks].reshape(stocks, -1)
    short = mean_of(np.array(demand)) - np.add.outer(there @ after[:stocks], np.arange(most + 1))
    costs = rest.reshape(short.shape) + ratio[:, :, np.newaxis] * short
    return np.asarray(costs.min(axis=2))


@cache
def two_orders(demand: tuple[float, ...], stocks: int, most: int) -> tuple[Array, Array]:
    """Return what is left of each stock two periods on, and what there is one period on.

    E ((x + q - D)+ + q' - D')+, (stocks, orders, orders), and E (x + q - D)+, (stocks, orders).
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
    """Return why no order can be matched to two periods, or nothing."""
    if reason := myopic.why_not(scenario):
        return reason
    (stage,) = stages(scenario).values()
    if not scenario.mean_lead_time(stage.source):
        return "orders arrive at once: one period says it all, it would be myopic"
    if stage.ceiling > LARGEST:
        return f"it works two orders through unit by unit: above {LARGEST} units too many"
    return ""


MYOPIC_TWO = Classic("myopic-2", why_not, parameters, acting(Myopic, method=myopic_two_orders))
