"""The inventory position, which every rule and policy uses: each unit of an item counts once.

    position = stock + coming - waiting

    stock     units on hand, of every age
    coming    units that its sources still owe (in the pipeline, or ordered and not shipped yet),
              and by-products in stock that are reworked into the item
    waiting   the backlog of its demands (in a net position; a gross position leaves it out)

The echelon position of an item also has the positions of all items made of it, down to the
customer, weighted by the bill of materials. A lot that a work center has begun is not counted: it
is granted, and enters the pipeline, only when it is finished.

A row is {state cell: units of the item per unit of the cell}. Quantities are in units.
"""

from __future__ import annotations

from jitgym.plant import Layout

Cells = dict[int, float]


def stock(layout: Layout, item: str) -> Cells:
    """Return the cells of the stock on hand."""
    return _cells(layout, f"{item}.stock")


def coming(layout: Layout, source: str) -> Cells:
    """Return the cells of units that a source still owes: in the pipeline, or not shipped yet."""
    return _cells(layout, f"{source}.in_process") | _cells(layout, f"{source}.unshipped")


def waiting(layout: Layout, item: str) -> Cells:
    """Return the cells of the backlog of the item."""
    found: Cells = {}
    for name in layout.scenario.demands_of.get(item, ()):
        found |= _cells(layout, f"{name}.backlog")
    return found


def net_stock(layout: Layout, item: str) -> Cells:
    """Return the cells of the stock on hand less the backlog."""
    return stock(layout, item) | dict.fromkeys(waiting(layout, item), -1.0)


def returning(layout: Layout, item: str) -> Cells:
    """Return the cells of by-products in stock that can become only this item."""
    found: Cells = {}
    for name, (material, quantity) in layout.scenario.reworked.items():
        if layout.scenario.sources[name].makes == item:
            found |= dict.fromkeys(stock(layout, material), 1.0 / quantity)
    return found


def on_order(layout: Layout, item: str) -> Cells:
    """Return the cells of units that come from all sources of an item, and of its rework."""
    found: Cells = {}
    for source in layout.scenario.sources_of(item):
        found |= coming(layout, source)
    return found | returning(layout, item)


def local(layout: Layout, item: str, net: bool = True) -> Cells:
    """Return the position of a single item, net of backorders or gross."""
    row = stock(layout, item) | on_order(layout, item)
    return row | dict.fromkeys(waiting(layout, item), -1.0) if net else row


def echelons(layout: Layout, net: bool = True) -> dict[str, Cells]:
    """Return item -> its echelon position, net of backorders or gross."""
    scenario = layout.scenario
    found: dict[str, Cells] = {}
    for item in reversed(scenario.items_upstream_first):
        row = local(layout, item, net)
        for consumer, quantity in scenario.goes_into(item).items():
            for cell, units in found[consumer].items():
                row[cell] = row.get(cell, 0.0) + quantity * units
        found[item] = row
    return found


def echelon(layout: Layout, item: str, net: bool = True) -> Cells:
    """Return the echelon position of one item."""
    return echelons(layout, net)[item]


def _cells(layout: Layout, name: str) -> Cells:
    part = layout.named.get(name)
    return {} if part is None else dict.fromkeys(range(part.start, part.stop), 1.0)
