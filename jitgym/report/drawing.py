"""A drawing of a plant as a graph: items as boxes, sources as arrows, demands as circles.

Goods flow from left (outside suppliers) to right (customers). Sources at one work center bear its
name and color; dashed arrows are suppliers that can be down, dotted ones by-products.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jitgym.scenario import Scenario, Source

Point = tuple[float, float]

WIDTH, HEIGHT = 1.6, 0.5  # of a box
COLUMN, ROW = 3.8, 1.1  # distance of boxes
PALETTE = ("#1f6fb2", "#c2571a", "#2c7d4f", "#8a3f9e", "#a3342f", "#5b6770")
OUTSIDE = "#333333"


@dataclass(frozen=True)
class Arrow:
    """One arrow of the drawing."""

    start: Point
    end: Point
    text: str
    color: str
    style: str


def draw(scenario: Scenario, path: Path) -> None:
    """Write the drawing as SVG; the same scenario gives the same file."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot
    from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

    places = positions(scenario)
    rows = 1 - min(row for _, row in places.values()) / ROW
    columns = 1 + max(column for column, _ in places.values()) / COLUMN
    with pyplot.rc_context({"svg.hashsalt": scenario.name, "font.size": 8}):
        size = (1.9 * columns + 2.4, max(0.7 * rows + 0.6, 1.6))
        figure, axes = pyplot.subplots(figsize=size)
        axes.set_axis_off()
        for arrow in arrows(scenario, places):
            axes.add_patch(
                FancyArrowPatch(
                    arrow.start,
                    arrow.end,
                    arrowstyle="-|>",
                    mutation_scale=10,
                    color=arrow.color,
                    linestyle=arrow.style,
                    linewidth=1.2,
                )
            )
            x = 0.5 * (arrow.start[0] + arrow.end[0])
            y = 0.5 * (arrow.start[1] + arrow.end[1])
            axes.text(x, y + 0.08, arrow.text, ha="center", va="bottom", color=arrow.color, size=6)
        for item in scenario.items:
            x, y = places[item]
            corner = (x - WIDTH / 2, y - HEIGHT / 2)
            shape = "round,pad=0.02,rounding_size=0.08"
            box = FancyBboxPatch(
                corner, WIDTH, HEIGHT, boxstyle=shape, facecolor="#eef2f6", edgecolor="#333333"
            )
            axes.add_patch(box)
            axes.text(x, y, item.replace("_", " "), ha="center", va="center")
        for name, demand in scenario.demands.items():
            x, y = places[f"demand {name}"]
            axes.add_patch(Circle((x, y), 0.16, facecolor="#fdf3d8", edgecolor="#333333"))
            text = f"{name.replace('_', ' ')}\n{demand.mean:.4g} a period"
            axes.text(x + 0.24, y, text, ha="left", va="center", size=7)
        axes.set_xlim(-2.2, (columns - 1) * COLUMN + 1.9)
        axes.set_ylim(-(rows - 0.3) * ROW, 0.7)
        axes.set_aspect("equal")
        figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
        pyplot.close(figure)


def positions(scenario: Scenario) -> dict[str, Point]:
    """Return where the items and the demands stand: column by depth, row by order in the column."""
    depth: dict[str, int] = {}
    for item in scenario.items_upstream_first:
        makers = [scenario.sources[name] for name in scenario.sources_of(item)]
        before = [depth[material] for source in makers for material in source.consumes]
        depth[item] = 1 + max(before, default=-1)
    last = 1 + max(depth.values())
    columns: dict[int, list[str]] = {}
    for item in scenario.items:
        columns.setdefault(depth[item], []).append(item)
    columns[last] = [f"demand {name}" for name in scenario.demands]
    most = max(len(names) for names in columns.values())
    return {
        name: (column * COLUMN, -ROW * ((most - len(names)) / 2 + k))
        for column, names in columns.items()
        for k, name in enumerate(names)
    }


def arrows(scenario: Scenario, places: dict[str, Point]) -> Iterator[Arrow]:
    """Yield the arrows: sources from each material or from outside, by-products, demands."""
    centers = {name: PALETTE[k % len(PALETTE)] for k, name in enumerate(scenario.work_centers)}
    for item in scenario.items:
        makers = scenario.sources_of(item)
        for k, name in enumerate(makers):
            source = scenario.sources[name]
            color = OUTSIDE if source.at is None else centers[source.at]
            style = "dashed" if source.disruption else "solid"
            shift = 0.3 * (k - (len(makers) - 1) / 2)
            end = (places[item][0] - WIDTH / 2, places[item][1] + shift)
            text = _label(name, source)
            if not source.consumes:
                yield Arrow((end[0] - 1.45, end[1] + shift), end, text, color, style)
            for material in source.consumes:
                x, y = places[material]
                yield Arrow((x + WIDTH / 2, y), end, text, color, style)
                text = ""  # once is enough
            if source.quality is not None and source.quality.by_product is not None:
                x, y = places[source.quality.by_product]
                yield Arrow((end[0] + 0.1, end[1]), (x, y - HEIGHT / 2), "", color, "dotted")
    for name, demand in scenario.demands.items():
        x, y = places[demand.item]
        to = places[f"demand {name}"]
        yield Arrow((x + WIDTH / 2, y), (to[0] - 0.17, to[1]), "", OUTSIDE, "solid")


def _label(name: str, source: Source) -> str:
    parts = [name.replace("_", " ")]
    if source.at is not None:
        parts.append(f"at {source.at}")
    if source.lead_time.expectation > 0:
        parts.append(f"L = {source.lead_time.expectation:.3g}")
    return "\n".join(parts)
