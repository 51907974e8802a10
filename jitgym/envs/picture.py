"""A plant as a board of cards, as a picture: stock, orders under way, backlog, and what is down.

Goods flow from left (suppliers) to right (customers). A card stands for an item:

    casting_a               12      stock, with a green bar
    cast_a   set up          8      each source: units under way, with a blue bar
    customers                3      each demand: backlog, with a red bar

A bar shows the share of the item's largest level; a bar that is cut off ends in a black cap. A
source that is down, or whose work center is, has a red name. All pictures of a plant have the same
size, so that they make a video.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from jitgym.plant import Layout
from jitgym.scenario import Scenario

if TYPE_CHECKING:  # a slow import that is not needed before the first picture
    from PIL.ImageDraw import ImageDraw

Picture = npt.NDArray[np.uint8]  # (height, width, 3)
Array = npt.NDArray[np.float64]
Color = tuple[int, int, int]

WIDTH, GUTTER, MARGIN, GAP = 208, 44, 16, 14  # pixels: a card, between columns, around, between
LINE, BAR, PADDING = 17, 5, 7  # of a text, of a bar, inside a card
HEAD, FOOT, LANE = 34, 24, 12  # the title, a line of work centers, an arrow that passes a column
LETTERS = 19  # of a name on a card
WHITE, BLACK, GRAY, PALE = (255, 255, 255), (20, 20, 20), (110, 110, 110), (226, 230, 234)
PAPER, PATH = (246, 248, 250), (190, 198, 206)
GREEN, BLUE, RED = (0, 158, 115), (0, 114, 178), (213, 94, 0)  # Okabe and Ito (2008)
COLORS: dict[str, Color] = {"stock": GREEN, "in_process": BLUE, "backlog": RED}


@dataclass(frozen=True)
class Moment:
    """What a picture or a text shows: a state, and what happened in the period before it."""

    state: Array  # (cells,)
    period: int
    asked: Array | None = None  # units, (sources,); None before the first period
    granted: Array | None = None
    cost: float | None = None


@dataclass(frozen=True)
class Line:
    """A line of a card: a quantity and its bar."""

    name: str
    what: str  # of `COLORS`
    cells: tuple[slice, ...]  # of the state, whose sum is the quantity
    up: tuple[int, ...] = ()  # cells that are 0 while it is down
    setup: tuple[int, int] | None = None  # cell, and its value while this source is set up


@dataclass(frozen=True)
class Card:
    """An item of the board, with its place in pixels."""

    item: str
    lines: tuple[Line, ...]
    most: float  # the quantity of a full bar, in units
    x: int
    y: int

    @property
    def height(self) -> int:
        """The height, in pixels."""
        return 2 * PADDING + len(self.lines) * (LINE + BAR + 3)


@dataclass(frozen=True)
class Board:
    """Where everything is on the board of a plant."""

    title: str
    cards: tuple[Card, ...]
    arrows: tuple[tuple[str, str], ...]  # from item to item
    lanes: int  # below the cards, for arrows that pass a column
    per_row: int  # work centers in a line at the foot
    centers: tuple[tuple[str, int | None, int | None], ...]  # name, cell of `up`, of `setup`
    sources: tuple[str, ...]
    width: int
    height: int


def board_of(layout: Layout) -> Board:
    """Return the board of a plant."""
    scenario = layout.scenario
    cells = {part.name: slice(part.start, part.stop) for part in layout.state}
    columns: dict[int, list[str]] = {}
    for item, column in _columns(scenario).items():
        columns.setdefault(column, []).append(item)
    arrows = dict.fromkeys(
        (material, source.makes)
        for source in scenario.sources.values()
        for material in source.consumes
    )
    placed: dict[str, Card] = {}
    for column in sorted(columns, reverse=True):  # each card beside what is made of it
        y = HEAD + MARGIN
        for item in columns[column]:
            x = MARGIN + column * (WIDTH + GUTTER)
            card = Card(item, _lines(scenario, cells, item), scenario.level_bound(item), x, y)
            after = [placed[end] for start, end in arrows if start == item and end in placed]
            if after:
                middle = sum(each.y + each.height // 2 for each in after) // len(after)
                card = replace(card, y=max(y, middle - card.height // 2))
            placed[item] = card
            y = card.y + card.height + GAP
    cards = [placed[item] for item in scenario.items]
    tallest = max(card.y + card.height for card in cards)
    centers = tuple(
        (name, _first(cells, f"{name}.up"), _first(cells, f"{name}.setup"))
        for name in scenario.work_centers
    )
    count = max(columns, default=0) + 1
    width = 2 * MARGIN + count * WIDTH + (count - 1) * GUTTER
    width = max(width, 2 * MARGIN + 2 * WIDTH)
    column_of = {card.item: card.x // (WIDTH + GUTTER) for card in cards}
    lanes = sum(column_of[end] - column_of[start] > 1 for start, end in arrows)
    per_row = max(2, count)
    height = tallest + MARGIN + LANE * lanes + FOOT * -(-len(centers) // per_row)
    return Board(
        scenario.title or scenario.name, tuple(cards), tuple(arrows), lanes, per_row, centers,
        tuple(scenario.sources), width + width % 2, height + height % 2,
    )  # fmt: skip


def _columns(scenario: Scenario) -> dict[str, int]:
    """Return the column of each item: 0, or one to the right of all that it is made of."""
    found: dict[str, int] = dict.fromkeys(scenario.items, 0)
    for _ in scenario.items:
        for source in scenario.sources.values():
            for material in source.consumes:
                wanted = min(found[material] + 1, len(found) - 1)
                found[source.makes] = max(found[source.makes], wanted)
    return found


def _lines(scenario: Scenario, cells: dict[str, slice], item: str) -> tuple[Line, ...]:
    lines = [Line(item, "stock", (cells[f"{item}.stock"],))]
    names = list(scenario.sources)
    for name in scenario.sources_of(item):
        center = scenario.sources[name].at
        downs = (_first(cells, f"{part}.up") for part in (name, center) if part)
        setup = None if center is None else _first(cells, f"{center}.setup")
        lines.append(
            Line(
                name,
                "in_process",
                tuple(cells[key] for key in (f"{name}.in_process",) if key in cells),
                tuple(cell for cell in downs if cell is not None),
                None if setup is None else (setup, 1 + names.index(name)),
            )
        )
    for name, demand in scenario.demands.items():
        if demand.item == item and f"{name}.backlog" in cells:
            lines.append(Line(name, "backlog", (cells[f"{name}.backlog"],)))
    return tuple(lines)


def _first(cells: dict[str, slice], name: str) -> int | None:
    return cells[name].start if name in cells else None


def picture(layout: Layout, moment: Moment) -> Picture:
    """Return the picture of a moment, (height, width, 3)."""
    from PIL import Image, ImageDraw

    board = board_of(layout)
    image = Image.new("RGB", (board.width, board.height), WHITE)
    draw = ImageDraw.Draw(image)
    at = {card.item: card for card in board.cards}
    lane = max(card.y + card.height for card in board.cards) + LANE
    for start, end in board.arrows:
        passes = at[end].x - at[start].x > WIDTH + GUTTER
        _arrow(draw, at[start], at[end], lane if passes else None)
        lane += LANE if passes else 0
    cost = "" if moment.cost is None else f"cost {moment.cost:,.2f}"
    room = board.width - 2 * MARGIN
    _text(draw, (MARGIN, 8), _cut(board.title, (room - 190) // 8), BLACK, 15)
    told = f"period {moment.period}   {cost}".rstrip()
    _text(draw, (board.width - MARGIN, 10), told, GRAY, 12, "ra")
    for card in board.cards:
        _card(draw, card, moment.state)
    _centers(draw, board, moment.state)
    return np.asarray(image).copy()


def _card(draw: ImageDraw, card: Card, state: Array) -> None:
    right, bottom = card.x + WIDTH, card.y + card.height
    draw.rectangle((card.x, card.y, right, bottom), PAPER, GRAY)
    y = card.y + PADDING - 2
    for line in card.lines:
        quantity = float(sum(state[part].sum() for part in line.cells))
        is_down = any(state[cell] == 0.0 for cell in line.up)
        is_item = line.what == "stock"
        color = RED if is_down else BLACK if is_item else GRAY
        name = _cut(line.name, LETTERS) + ("  down" if is_down else "")
        if line.setup is not None and int(state[line.setup[0]]) == line.setup[1] and not is_down:
            name += "  set up"
        _text(draw, (card.x + PADDING, y), name, color, 13 if is_item else 11)
        _text(draw, (right - PADDING, y), f"{quantity:g}", color, 13 if is_item else 11, "ra")
        y += LINE
        left, most = card.x + PADDING, WIDTH - 2 * PADDING
        length = round(most * min(quantity / max(card.most, 1e-9), 1.0))
        draw.rectangle((left, y, left + most, y + BAR - 1), PALE)
        if length > 0:
            draw.rectangle((left, y, left + length, y + BAR - 1), COLORS[line.what])
        if quantity > card.most:
            draw.rectangle((left + most - 2, y, left + most, y + BAR - 1), BLACK)
        y += BAR + 3


def _arrow(draw: ImageDraw, start: Card, end: Card, lane: int | None) -> None:
    x, y = start.x + WIDTH, start.y + start.height // 2
    to_x, to_y = end.x, end.y + end.height // 2
    middle = to_x - GUTTER // 2
    path = [(x, y), (middle, y), (middle, to_y), (to_x, to_y)]
    if lane is not None:  # below the cards, beside the arrows of the columns on the way
        y, to_y = y + 10, to_y + 10
        left, right = x + GUTTER // 4, to_x - GUTTER // 4
        path = [(x, y), (left, y), (left, lane), (right, lane), (right, to_y), (to_x, to_y)]
    draw.line(path, PATH, 2)
    draw.polygon([(to_x, to_y), (to_x - 6, to_y - 4), (to_x - 6, to_y + 4)], GRAY)


def _centers(draw: ImageDraw, board: Board, state: Array) -> None:
    per_row = board.per_row
    rows = -(-len(board.centers) // per_row)
    top = board.height - FOOT * rows
    for k, (name, up, setup) in enumerate(board.centers):
        x = MARGIN + (k % per_row) * (WIDTH + GUTTER)
        y = top + FOOT * (k // per_row)
        is_down = up is not None and state[up] == 0.0
        draw.ellipse((x, y + 2, x + 10, y + 12), RED if is_down else GREEN)
        told = f"{_cut(name, LETTERS)} {'is down' if is_down else 'is up'}"
        if setup is not None and (ready := int(state[setup])):
            told += f", for {board.sources[ready - 1]}"
        _text(draw, (x + 16, y), _cut(told, 36), RED if is_down else GRAY, 11)


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: max(letters - 2, 1)] + ".."


def _text(
    draw: ImageDraw,
    place: tuple[int, int],
    text: str,
    color: Color,
    size: int,
    anchor: str = "la",
) -> None:
    draw.text(place, text, color, _font(size), anchor)


@lru_cache(maxsize=8)
def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)
