"""Stock by age: units on hand, units taken out, units put in."""

from __future__ import annotations

from .jit import kernel
from .records import Record, Row


@kernel
def on_hand(state: Row, item: Record) -> float:
    """Return the stock of an item over all ages, in units."""
    total = state[item.stock]
    for a in range(1, item.ages):
        total += state[item.stock + a]
    return total


@kernel
def take(state: Row, item: Record, quantity: float) -> None:
    """Take a quantity (at most the stock) out of stock, in the item's issuing order."""
    if item.lifo:
        take_youngest(state, item, quantity)
    else:
        take_oldest(state, item, quantity)


@kernel
def take_oldest(state: Row, item: Record, quantity: float) -> None:
    """Take a quantity (at most the stock) out of stock, the oldest units first."""
    for a in range(item.ages - 1, 0, -1):
        taken = min(quantity, state[item.stock + a])
        state[item.stock + a] -= taken
        quantity -= taken
    # Sums of fractions are exact except for the last bit, so the difference may be below 0.
    state[item.stock] = max(state[item.stock] - quantity, 0.0)


@kernel
def take_youngest(state: Row, item: Record, quantity: float) -> None:
    """Take a quantity (at most the stock) out of stock, the youngest units first."""
    last = item.stock + item.ages - 1
    for cell in range(item.stock, last):
        taken = min(quantity, state[cell])
        state[cell] -= taken
        quantity -= taken
    state[last] = max(state[last] - quantity, 0.0)


@kernel
def put(state: Row, item: Record, quantity: float, flows: Row) -> None:
    """Put units into the stock of an item, as the youngest ones."""
    state[item.stock] += quantity
    flows[item.arrived] += quantity
