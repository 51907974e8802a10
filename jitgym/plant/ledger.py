"""The ledger: what a period cost, term by term.

A term is a sum of prices times flows, and `cost` is the sum of the terms, in money a period.
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
