"""Stock by age: what is there, what is taken, what comes in."""

from __future__ import annotations

from .jit import kernel
from .records import Record, Row


@kernel
def on_hand(state: Row, item: Record) -> float:
    """Return an item's stock of all ages, in units."""
    total = state[item.stock]
    for a in range(1, item.ages):
        total += state[item.stock + a]
    return total


@kernel
def take(state: Row, item: Record, quantity: float) -> None:
    """Take a quantity, at most what is there, out of stock: the oldest first, or the youngest."""
    if item.lifo:
        take_youngest(state, item, quantity)
    else:
        take_oldest(state, item, quantity)


@kernel
def take_oldest(state: Row, item: Record, quantity: float) -> None:
    """Take a quantity, at most what is there, out of stock: the oldest first."""
    for a in range(item.ages - 1, 0, -1):
        taken = min(quantity, state[item.stock + a])
        state[item.stock + a] -= taken
        quantity -= taken
    # Fractions of units add up to their sum but for the last bit.
    state[item.stock] = max(state[item.stock] - quantity, 0.0)


@kernel
def take_youngest(state: Row, item: Record, quantity: float) -> None:
    """Take a quantity, at most what is there, out of stock: the youngest first."""
    last = item.stock + item.ages - 1
    for cell in range(item.stock, last):
        taken = min(quantity, state[cell])
        state[cell] -= taken
        quantity -= taken
    state[last] = max(state[last] - quantity, 0.0)


@kernel
def put(state: Row, item: Record, quantity: float, flows: Row) -> None:
    """Units enter the stock of an item, as the youngest."""
    state[item.stock] += quantity
    flows[item.arrived] += quantity
