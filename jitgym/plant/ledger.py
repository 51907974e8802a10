"""The ledger: the cost of a period, term by term.

A term is a sum of prices times flows, and `cost` is the sum of the terms, in money per period. The
costs of many periods follow in the same way from the sums of the flows.
"""

from __future__ import annotations

from .jit import kernel
from .records import Plant, Row


@kernel
def book(plant: Plant, flows: Row, terms: Row) -> float:
    """Write the ledger's terms of a period, (terms,), and return their sum, the cost."""
    for k in range(
        plant.prices.size
    ):  # every term has an entry; this is faster than to fill the row
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
    """Add the priced flows of a period, times a weight, to the sums `counted`, (prices,)."""
    for k in range(plant.prices.size):
        counted[k] += weight * flows[plant.prices[k].flow]


@kernel
def settle(plant: Plant, counted: Row, terms: Row) -> float:
    """Write the ledger's terms of the counted sums, (terms,), and return their sum, the cost."""
    cost = 0.0
    for k in range(plant.prices.size):
        entry = plant.prices[k]
        terms[entry.term] += entry.price * counted[k]
        cost += entry.price * counted[k]
    return cost
