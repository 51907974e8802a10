"""The ledger: what a period cost, term by term.

A term is a sum of prices times flows, and `cost` is the sum of the terms, in money a period. Over
many periods it is the same sums with the sums of the flows.
"""

from __future__ import annotations

from .jit import kernel
from .records import Plant, Row


@kernel
def book(plant: Plant, flows: Row, terms: Row) -> float:
    """Write the ledger's terms of a period, (terms,), and return their sum, the cost."""
    for k in range(plant.prices.size):  # each has an entry; a short row is dear to fill as a whole
        terms[plant.prices[k].term] = 0.0
    cost = 0.0
    for k in range(plant.prices.size):
        entry = plant.prices[k]
        money = entry.price * flows[entry.flow]
        terms[entry.term] += money
        cost += money
    return cost


@kernel
def count_up(plant: Plant, flows: Row, weight: float, counted: Row) -> None:
    """Add the flows of a period that have a price, with a weight, to what is counted, (prices,)."""
    for k in range(plant.prices.size):
        counted[k] += weight * flows[plant.prices[k].flow]


@kernel
def settle(plant: Plant, counted: Row, terms: Row) -> float:
    """Write the ledger's terms of what was counted, (terms,), and return their sum, the cost."""
    cost = 0.0
    for k in range(plant.prices.size):
        entry = plant.prices[k]
        terms[entry.term] += entry.price * counted[k]
        cost += entry.price * counted[k]
    return cost
