"""A drawing of a plant as a graph: sources make items, items go into sources or to customers.

Goods flow from left (suppliers) to right (customers). Every label is inside a box, boxes are in
columns, and an arrow bends only between two columns. So no arrow crosses a label, and no label
overlaps another. An arrow that passes a column has its own place there (Sugiyama, Tagawa and Toda
1981). The work centers are below the graph; a source has the color of its work center. In a plant
with many boxes, similar ones (their neighbors are of the same kinds) share one box.

    scenario -> boxes and links -> Picture (places, nothing overlaps) -> SVG

This layout is the same on every machine. Where Graphviz is installed, `dot` can lay out the graph
instead; the boxes, their labels and colors are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Literal

from jitgym.scenario import Scenario

from . import dot
from .wording import words_of_demand, words_of_item, words_of_source, words_of_work_center

Point = tuple[float, float]
Layout = Literal["own", "dot"]

PALETTE = ("#1f6fb2", "#c2571a", "#2c7d4f", "#8a3f9e", "#a3342f", "#5b6770")
OUTSIDE = "#333333"
FILL = {"item": "#eef2f6", "demand": "#fdf3d8", "truck": "#f3ecf9", "project": "#eef6ee"}

# All lengths are in pixels.
TITLE_SIZE, TEXT_SIZE = 12.0, 10.0
LINE = 14.0  # from one line of text to the next
PADDING = 8.0
LETTER, BOLD_LETTER = 0.62, 0.70  # per font size; wide enough for common fonts
GAP = 14.0  # between boxes of a column
GUTTER = 56.0  # between columns, where arrows bend
LANE = 12.0  # between arrows that run back below the graph
MARGIN = 12.0
PASSAGE = 8.0  # height of the place that a passing arrow has in a column
MANY = 30  # similar boxes are grouped above this number of boxes
ALIKE = 3  # the smallest group
SWEEPS = 12
SHOWN_NAMES = 3


@dataclass(frozen=True)
class Box:
    """A box with its label: a title and lines of text."""

    kind: str
    title: str
    lines: tuple[str, ...]
    color: str = OUTSIDE
    is_dashed: bool = False  # of the border, if something can be down
    names: tuple[str, ...] = ()  # what it stands for
    x: float = 0.0  # of the left upper corner
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0

    @property
    def text_width(self) -> float:
        """The width of its widest line, with padding."""
        widths = [BOLD_LETTER * TITLE_SIZE * len(self.title)]
        widths += [LETTER * TEXT_SIZE * len(line) for line in self.lines]
        return max(widths) + 2 * PADDING

    @property
    def text_height(self) -> float:
        """The height of all of its lines, with padding."""
        return LINE * (1 + len(self.lines)) + 2 * PADDING - 4


@dataclass(frozen=True)
class Link:
    """An arrow from one box to another, by their keys."""

    start: str
    end: str
    style: str = "solid"  # solid: goods; dotted: by-products; dashed: a truck's trips
    color: str = OUTSIDE


@dataclass(frozen=True)
class Arrow:
    """An arrow with its path: a chain of straight lines and cubic Bezier curves."""

    link: Link
    start: Point
    pieces: tuple[tuple[Point, ...], ...]  # a line is its end; a curve two controls and its end

    def samples(self, steps: int = 20) -> Iterator[Point]:
        """Yield points along it."""
        first = self.start
        for *controls, last in self.pieces:
            for k in range(steps + 1):
                t = k / steps
                (bx, by), (cx, cy) = controls or (first, last)
                a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
                yield (
                    a * first[0] + b * bx + c * cx + d * last[0],
                    a * first[1] + b * by + c * cy + d * last[1],
                )
            first = last


@dataclass(frozen=True)
class Picture:
    """A drawing before it is written as SVG: boxes and arrows with their places."""

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    width: float
    height: float


def draw(scenario: Scenario, path: Path, layout: Layout = "own") -> None:
    """Write the drawing as SVG; in our own layout, the same scenario always gives the same file."""
    found = picture(scenario, layout)
    path.write_text(as_svg(found, scenario.title or scenario.name), encoding="utf-8")


def picture(scenario: Scenario, layout: Layout = "own") -> Picture:
    """Return the drawing of a scenario, with every box and arrow in its place.

    Raises ScenarioError if the layout is "dot" and this program is not installed.
    """
    boxes, links = _put_together(*_parts(scenario))
    below = [*_work_centers(scenario), *_projects(scenario)]
    if layout == "dot":
        return by_dot(boxes, links, below)
    return Graph(boxes, links).picture(below)


def expect_layout(layout: Layout) -> None:
    """Raise ScenarioError if this layout needs a program that is not installed."""
    if layout == "dot":
        dot.program()


# --- what is drawn --------------------------------------------------------------------------------


def _parts(scenario: Scenario) -> tuple[dict[str, Box], list[Link]]:
    """Return boxes by key and the arrows between them."""
    colors = _colors(scenario)
    boxes: dict[str, Box] = {}
    links: list[Link] = []
    for name, carrier in scenario.carriers.items():
        lines = ["shared truck"]
        if carrier.capacity is not None:
            lines.append(f"holds {carrier.capacity:g} {scenario.unit}")
        if carrier.cost:
            lines.append(f"{carrier.cost:g} per trip")
        boxes[f"truck {name}"] = Box("truck", _plain(name), tuple(lines), names=(name,))
    for name, source in scenario.sources.items():
        color = colors.get(source.at or "", OUTSIDE)
        key = f"source {name}"
        text = words_of_source(scenario, source)
        boxes[key] = Box(
            "source", _plain(name), text, color, source.disruption is not None, (name,)
        )
        links += [Link(f"item {item}", key, color=color) for item in source.consumes]
        links.append(Link(key, f"item {source.makes}", color=color))
        if source.carrier is not None:
            links.append(Link(f"truck {source.carrier}", key, "dashed"))
        if source.quality is not None and source.quality.by_product is not None:
            links.append(Link(key, f"item {source.quality.by_product}", "dotted", color))
    for name in scenario.items:
        text = words_of_item(scenario, name)
        boxes[f"item {name}"] = Box("item", _plain(name), text, names=(name,))
    for name, demand in scenario.demands.items():
        text = words_of_demand(scenario, demand)
        boxes[f"demand {name}"] = Box("demand", _plain(name), text, names=(name,))
        links.append(Link(f"item {demand.item}", f"demand {name}"))
    return boxes, links


def _work_centers(scenario: Scenario) -> list[Box]:
    colors = _colors(scenario)
    return [
        Box(
            "center",
            f"work center: {_plain(name)}",
            words_of_work_center(center),
            colors[name],
            center.breakdown is not None,
            (name,),
        )
        for name, center in scenario.work_centers.items()
    ]


def _projects(scenario: Scenario) -> list[Box]:
    return [
        Box(
            "project",
            f"project: {_plain(name)}",
            (f"cost {project.cost:g}", *(f"improves {path}" for path in project.improves)),
            names=(name,),
        )
        for name, project in scenario.projects.items()
    ]


def _colors(scenario: Scenario) -> dict[str, str]:
    return {name: PALETTE[k % len(PALETTE)] for k, name in enumerate(scenario.work_centers)}


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _put_together(boxes: dict[str, Box], links: list[Link]) -> tuple[dict[str, Box], list[Link]]:
    """Let similar boxes share one box, if there are many boxes.

    Boxes are similar if their neighbors are similar, at any distance (color refinement).
    """
    if len(boxes) <= MANY:
        return boxes, links
    kinds: dict[str, object] = {key: (box.kind, box.color) for key, box in boxes.items()}
    while True:
        around: dict[str, list[object]] = {key: [] for key in boxes}
        for link in links:
            around[link.start].append((1, link.style, kinds[link.end]))
            around[link.end].append((0, link.style, kinds[link.start]))
        found = {key: (kinds[key], tuple(sorted(set(map(repr, around[key]))))) for key in boxes}
        number = {kind: k for k, kind in enumerate(dict.fromkeys(found.values()))}
        after: dict[str, object] = {key: number[found[key]] for key in boxes}
        if len(number) == len(set(kinds.values())):
            break
        kinds = after
    groups: dict[object, list[str]] = {}
    for key, box in boxes.items():
        groups.setdefault((kinds[key], box.lines if box.kind == "source" else ""), []).append(key)
    leader: dict[str, str] = {}
    joined: dict[str, Box] = {}
    for keys in groups.values():
        if len(keys) < ALIKE:
            leader |= {key: key for key in keys}
            joined |= {key: boxes[key] for key in keys}
            continue
        leader |= dict.fromkeys(keys, keys[0])
        joined[keys[0]] = _group([boxes[key] for key in keys])
    ends = (replace(each, start=leader[each.start], end=leader[each.end]) for each in links)
    return joined, list(dict.fromkeys(ends))


def _group(members: Sequence[Box]) -> Box:
    """One box for several, with the common part of their labels and some of their names."""
    first = members[0]
    common = [line for line in first.lines if all(line in other.lines for other in members)]
    shown = [box.title for box in members[:SHOWN_NAMES]]
    rest = len(members) - len(shown)
    names = [*shown, f"and {rest} more"] if rest else shown
    return replace(
        first,
        title=f"{len(members)} {first.kind}s",
        lines=(*names, *common),
        is_dashed=any(box.is_dashed for box in members),
        names=tuple(name for box in members for name in box.names),
    )


# --- places ---------------------------------------------------------------------------------------


@dataclass
class Graph:
    """Boxes in columns, each as far to the right as the boxes after it allow."""

    boxes: dict[str, Box]
    links: list[Link]
    columns: list[list[str]] = field(default_factory=list)  # keys, of boxes and of passages
    ways: dict[Link, list[str]] = field(default_factory=dict)  # the keys that an arrow passes
    returns: list[Link] = field(default_factory=list)  # arrows that would close a circle
    center: dict[str, float] = field(default_factory=dict)  # key -> y of its middle

    def picture(self, below: Sequence[Box]) -> Picture:
        """Return the picture, with the given boxes in rows below the graph."""
        self._rank()
        self._sort()
        self._stack()
        boxes, left, right = self._place()
        floor = max(box.y + box.height for box in boxes.values()) + GAP
        arrows = [_bent(link, self._way(link, boxes, left, right)) for link in self.ways]
        for k, link in enumerate(self.returns):
            lane = floor + LANE * k
            arrows.append(_bent(link, self._way_back(link, boxes, left, right, lane)))
        floor += LANE * len(self.returns)
        return _framed(boxes.values(), arrows, below, right[-1], floor)

    def _rank(self) -> None:
        """Choose a column for each box, and give a passing arrow a passage in each between."""
        follow: dict[str, list[str]] = {key: [] for key in self.boxes}
        forward: list[Link] = []
        for link in sorted(self.links, key=lambda link: link.style == "dotted"):
            if self._leads(follow, link.end, link.start):
                self.returns.append(link)  # a by-product that goes back for rework
                continue
            follow[link.start].append(link.end)
            forward.append(link)
        depth: dict[str, int] = {}
        for key in _last_first(follow):
            behind = [depth[after] for after in follow[key]]
            # An item that no customer demands stands before their column, like the others.
            least = 0 if self.boxes[key].kind == "demand" else 1
            depth[key] = max([least, *(1 + each for each in behind)])
        most = max(depth.values())
        self.columns = [[] for _ in range(most + 1)]
        for key in self.boxes:
            self.columns[most - depth[key]].append(key)
        for number, link in enumerate(forward):
            way = [link.start]
            for column in range(most - depth[link.start] + 1, most - depth[link.end]):
                way.append(f"passage {number} {column}")
                self.columns[column].append(way[-1])
            self.ways[link] = [*way, link.end]

    @staticmethod
    def _leads(follow: Mapping[str, Sequence[str]], start: str, end: str) -> bool:
        """Whether a path leads from one box to another."""
        seen, front = {start}, [start]
        while front:
            key = front.pop()
            if key == end:
                return True
            news = [after for after in follow[key] if after not in seen]
            seen.update(news)
            front += news
        return False

    def _neighbors(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        """Return the keys before and after each key, in the adjacent columns."""
        before: dict[str, list[str]] = {key: [] for column in self.columns for key in column}
        after: dict[str, list[str]] = {key: [] for column in self.columns for key in column}
        for way in self.ways.values():
            for one, other in pairwise(way):
                after[one].append(other)
                before[other].append(one)
        return before, after

    def _sort(self) -> None:
        """Order each column by the mean place of the neighbors, so that few arrows cross."""
        before, after = self._neighbors()
        best = [list(column) for column in self.columns]
        fewest = self._crossings(after)
        for sweep in range(SWEEPS):
            forth = sweep % 2 == 0
            columns = self.columns[1:] if forth else self.columns[-2::-1]
            for column in columns:
                place = {key: k / len(c) for c in self.columns for k, key in enumerate(c)}
                near = before if forth else after
                column.sort(key=_mean_of(near, place))
            crossings = self._crossings(after)
            if crossings < fewest:
                fewest, best = crossings, [list(column) for column in self.columns]
        self.columns = best

    def _crossings(self, after: Mapping[str, Sequence[str]]) -> int:
        count = 0
        place = {key: k for column in self.columns for k, key in enumerate(column)}
        for column in self.columns:
            ends = [(place[key], place[other]) for key in column for other in after[key]]
            count += sum(
                (a - c) * (b - d) < 0 for k, (a, b) in enumerate(ends) for c, d in ends[k + 1 :]
            )
        return count

    def _stack(self) -> None:
        """Give each key the height nearest to those of its neighbors, without any overlap."""
        before, after = self._neighbors()
        for column in self.columns:
            y = 0.0
            for key in column:
                self.center[key] = y + self._height(key) / 2
                y += self._height(key) + GAP
            for key in column:
                self.center[key] -= y / 2
        for sweep in range(SWEEPS):
            near = before if sweep % 2 == 0 else after
            for column in self.columns if sweep % 2 == 0 else reversed(self.columns):
                wanted = [_mean_of(near, self.center)(key) for key in column]
                apart = [
                    (self._height(one) + self._height(other)) / 2 + GAP
                    for one, other in pairwise(column)
                ]
                self.center.update(zip(column, _spread(wanted, apart), strict=True))

    def _height(self, key: str) -> float:
        return self.boxes[key].text_height if key in self.boxes else PASSAGE

    def _place(self) -> tuple[dict[str, Box], list[float], list[float]]:
        """Return the boxes in their places, and the left and right side of each column."""
        top = min(self.center[key] - self._height(key) / 2 for key in self.center) - MARGIN
        self.center = {key: y - top for key, y in self.center.items()}
        left, right, boxes, x = [], [], {}, MARGIN
        for column in self.columns:
            inside = [key for key in column if key in self.boxes]
            width = max(self.boxes[key].text_width for key in inside)
            left.append(x)
            right.append(x + width)
            for key in inside:
                height = self._height(key)
                y = self.center[key] - height / 2
                boxes[key] = replace(self.boxes[key], x=x, y=y, width=width, height=height)
            x += width + GUTTER
        return boxes, left, right

    def _way(
        self, link: Link, boxes: Mapping[str, Box], left: list[float], right: list[float]
    ) -> tuple[Point, ...]:
        """Return the points of an arrow, which leaves and enters its boxes beside other arrows."""
        way = self.ways[link]
        column = next(k for k, keys in enumerate(self.columns) if link.start in keys)
        points = [(right[column], self._port(link, boxes, at_start=True))]
        for k, key in enumerate(way[1:-1], column + 1):
            points += [(left[k], self.center[key]), (right[k], self.center[key])]
        last = column + len(way) - 1
        points.append((left[last], self._port(link, boxes, at_start=False)))
        return tuple(points)

    def _port(self, link: Link, boxes: Mapping[str, Box], *, at_start: bool) -> float:
        """Return the height at which an arrow leaves its first box, or enters its last."""

        def place(other: Link) -> float:
            way = self.ways[other]
            return self.center[way[1] if at_start else way[-2]]

        key = link.start if at_start else link.end
        rivals = [each for each in self.ways if (each.start if at_start else each.end) == key]
        rivals.sort(key=place)
        box = boxes[key]
        return box.y + box.height * (rivals.index(link) + 1) / (len(rivals) + 1)

    def _way_back(
        self,
        link: Link,
        boxes: Mapping[str, Box],
        left: list[float],
        right: list[float],
        lane: float,
    ) -> tuple[Point, ...]:
        """Return the points of an arrow that runs back below the graph."""
        start, end = boxes[link.start], boxes[link.end]
        out, into = start.x + start.width + GUTTER / 3, end.x - GUTTER / 3
        y0, y1 = start.y + start.height - 6, end.y + end.height - 6
        return (
            (start.x + start.width, y0),
            (out, y0),
            (out, lane),
            (into, lane),
            (into, y1),
            (end.x, y1),
        )


def _last_first(follow: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield all keys, each one after its successors."""
    done: set[str] = set()
    for root in follow:
        stack = [root]
        while stack:
            key = stack[-1]
            missing = [after for after in follow[key] if after not in done]
            if missing:
                stack += missing
                continue
            stack.pop()
            if key not in done:
                done.add(key)
                yield key


def _mean_of(
    near: Mapping[str, Sequence[str]], place: Mapping[str, float]
) -> Callable[[str], float]:
    """Return the mean place of the neighbors of a key; its own place if it has none."""
    kept = dict(place)

    def mean(key: str) -> float:
        around = near[key] or [key]
        return sum(kept[other] for other in around) / len(around)

    return mean


def _spread(wanted: Sequence[float], apart: Sequence[float]) -> list[float]:
    """Return the places nearest to the wanted ones, in their order and with at least these gaps.

    >>> _spread([0.0, 0.0, 9.0], [2.0, 2.0])
    [-1.0, 1.0, 9.0]
    """
    offsets = [0.0]
    for distance in apart:
        offsets.append(offsets[-1] + distance)
    blocks: list[tuple[float, int]] = []  # (mean, count), pooled until the means increase
    for want, offset in zip(wanted, offsets, strict=True):
        mean, count = want - offset, 1
        while blocks and blocks[-1][0] > mean:
            other, many = blocks.pop()
            mean, count = (mean * count + other * many) / (count + many), count + many
        blocks.append((mean, count))
    means = [mean for mean, count in blocks for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def _rows(boxes: Iterable[Box], top: float, width: float) -> Iterator[Box]:
    """Yield the boxes below the graph, side by side in rows of at most this width."""
    x, y, tallest = MARGIN, top + GAP, 0.0
    for box in boxes:
        if x > MARGIN and x + box.text_width > width:
            x, y, tallest = MARGIN, y + tallest + GAP, 0.0
        yield replace(box, x=x, y=y, width=box.text_width, height=box.text_height)
        x += box.text_width + GAP
        tallest = max(tallest, box.text_height)


def _bent(link: Link, points: Sequence[Point]) -> Arrow:
    """Join points by straight lines, or by curves where neither x nor y stays the same."""

    def piece(one: Point, other: Point) -> tuple[Point, ...]:
        (x0, y0), (x1, y1) = one, other
        middle = 0.5 * (x0 + x1)
        is_straight = y0 == y1 or x0 == x1
        return (other,) if is_straight else ((middle, y0), (middle, y1), other)

    return Arrow(link, points[0], tuple(piece(one, other) for one, other in pairwise(points)))


def _framed(
    boxes: Iterable[Box], arrows: Iterable[Arrow], below: Sequence[Box], width: float, floor: float
) -> Picture:
    """Return the picture of a graph that ends at this width and floor, with boxes below it."""
    placed = list(_rows(below, floor, max(width, 500.0)))
    bottom = max([floor, *(box.y + box.height for box in placed)])
    width = max([width, *(box.x + box.width for box in placed)])
    return Picture((*boxes, *placed), tuple(arrows), width + MARGIN, bottom + MARGIN)


def by_dot(boxes: Mapping[str, Box], links: Sequence[Link], below: Sequence[Box]) -> Picture:
    """Return the picture of a graph that `dot` lays out, with the given boxes below it."""
    sizes = {key: (box.text_width, box.text_height) for key, box in boxes.items()}
    found = dot.lay_out(sizes, [(link.start, link.end) for link in links], GAP, GUTTER)
    placed = []
    for key, box in boxes.items():
        (x, y), (width, height) = found.middles[key], sizes[key]
        x, y = x + MARGIN - width / 2, y + MARGIN - height / 2
        placed.append(replace(box, x=x, y=y, width=width, height=height))
    arrows = []
    for link, way in zip(links, found.ways, strict=True):
        start, *rest = ((x + MARGIN, y + MARGIN) for x, y in way)
        curves = zip(rest[::3], rest[1::3], rest[2::3], strict=True)
        arrows.append(Arrow(link, start, tuple(curves)))
    width, height = found.size
    return _framed(placed, arrows, below, width + MARGIN, height + MARGIN + GAP)


# --- SVG ------------------------------------------------------------------------------------------


def as_svg(found: Picture, title: str) -> str:
    """Return a picture as SVG."""
    size = f"{found.width:.0f} {found.height:.0f}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" '
        f'width="{found.width:.0f}" height="{found.height:.0f}" '
        'font-family="Helvetica, Arial, sans-serif">',
        f"<title>{escape(title)}</title>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    colors = dict.fromkeys(arrow.link.color for arrow in found.arrows)
    heads = {color: f"head{k}" for k, color in enumerate(colors)}
    lines += [
        f'<marker id="{name}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="{color}"/></marker>'
        for color, name in heads.items()
    ]
    lines += [_arrow_as_svg(arrow, heads[arrow.link.color]) for arrow in found.arrows]
    for box in found.boxes:
        lines += _box_as_svg(box)
    return "\n".join([*lines, "</svg>", ""])


DASHES = {"solid": "", "dotted": ' stroke-dasharray="2 3"', "dashed": ' stroke-dasharray="6 4"'}


def _arrow_as_svg(arrow: Arrow, head: str) -> str:
    way = [f"M{_coordinates([arrow.start])}"]
    way += [f"{'C' if len(piece) > 1 else 'L'}{_coordinates(piece)}" for piece in arrow.pieces]
    color, dashes = arrow.link.color, DASHES[arrow.link.style]
    return (
        f'<path d="{" ".join(way)}" fill="none" stroke="{color}" stroke-width="1.3"'
        f'{dashes} marker-end="url(#{head})"/>'
    )


def _coordinates(points: Iterable[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _box_as_svg(box: Box) -> list[str]:
    dashes = DASHES["dashed" if box.is_dashed else "solid"]
    corner = {"demand": 16, "item": 2}.get(box.kind, 6)
    fill = FILL.get(box.kind, "#ffffff")
    middle, y = box.x + box.width / 2, box.y + PADDING + TITLE_SIZE - 2
    lines = [
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" '
        f'height="{box.height:.1f}" rx="{corner}" fill="{fill}" stroke="{box.color}" '
        f'stroke-width="1.3"{dashes}/>',
        f'<text x="{middle:.1f}" y="{y:.1f}" text-anchor="middle" font-size="{TITLE_SIZE:g}" '
        f'font-weight="bold">{escape(box.title)}</text>',
    ]
    for line in box.lines:
        y += LINE
        lines.append(
            f'<text x="{middle:.1f}" y="{y:.1f}" text-anchor="middle" '
            f'font-size="{TEXT_SIZE:g}" fill="#444444">{escape(line)}</text>'
        )
    return lines
