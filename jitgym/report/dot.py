"""Places of boxes and ways of arrows, found by the program `dot` of Graphviz.

`dot` receives only sizes and numbers, never a label, so nothing has to be escaped for it. Lengths
are in pixels; for `dot`, a pixel is a point, 1/72 of an inch (Gansner, Koutsofios, North and Vo
1993).
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jitgym.errors import ScenarioError

Point = tuple[float, float]
Size = tuple[float, float]

INCH = 72.0  # pixels
PATIENCE = 60.0  # seconds
INSTEAD = "leave the layout out for the one of jitgym, which needs no other program"


@dataclass(frozen=True)
class Found:
    """Where the boxes and the links of a graph lie; y grows downward, from 0 to the height."""

    size: Size  # of the whole graph
    middles: dict[str, Point]  # of each box
    ways: list[tuple[Point, ...]]  # of each link: a point, then three for each cubic Bezier curve


def program() -> str:
    """Return the path of `dot`. Raises ScenarioError if it is not installed."""
    found = shutil.which("dot")
    if found is None:
        raise ScenarioError(
            "layout dot: the program dot is not installed; install Graphviz "
            f"(https://graphviz.org/download), or {INSTEAD}"
        )
    return found


def lay_out(
    sizes: Mapping[str, Size], links: Sequence[tuple[str, str]], gap: float, gutter: float
) -> Found:
    """Return places for boxes of these sizes, with the links from left to right where possible.

    `gap` lies between boxes of a column, `gutter` between columns.

    Raises ScenarioError if `dot` is not installed, or does not answer as expected.
    """
    keys = list(sizes)
    number = {key: k for k, key in enumerate(keys)}
    lines = [
        "digraph {",
        f"rankdir=LR nodesep={gap / INCH:.4f} ranksep={gutter / INCH:.4f}",
        'node [shape=box fixedsize=true label=""]',
        "edge [dir=none]",  # the way ends at the box, and the arrowhead is drawn there
        *(
            f"{number[key]} [width={width / INCH:.4f} height={height / INCH:.4f}]"
            for key, (width, height) in sizes.items()
        ),
        *(f"{number[start]} -> {number[end]}" for start, end in links),
        "}",
    ]
    answer = [line.split() for line in _asked("\n".join(lines)).splitlines()]
    try:
        return _read(answer, keys, links)
    except (ValueError, IndexError, KeyError):
        raise ScenarioError(
            f"layout dot: {program()} does not answer like dot of Graphviz; {INSTEAD}"
        ) from None


def _asked(graph: str) -> str:
    """Return the answer of `dot` in its plain format."""
    try:
        done = subprocess.run(
            [program(), "-Tplain"], input=graph, capture_output=True, text=True, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        raise ScenarioError(
            f"layout dot: dot has not finished after {PATIENCE:g} s; {INSTEAD}"
        ) from None
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[0]
        raise ScenarioError(f"layout dot: dot failed: {said}; {INSTEAD}")
    return done.stdout


def _read(
    answer: Sequence[Sequence[str]], keys: Sequence[str], links: Sequence[tuple[str, str]]
) -> Found:
    """Read `graph scale width height`, `node k x y ...` and `edge k k n x y ...`, in inches."""
    width, height = map(float, answer[0][2:4])

    def point(x: str, y: str) -> Point:
        return INCH * float(x), INCH * (height - float(y))

    middles = {keys[int(line[1])]: point(*line[2:4]) for line in answer if line[:1] == ["node"]}
    ways: dict[tuple[str, str], list[tuple[Point, ...]]] = {}
    for line in answer:
        if line[:1] == ["edge"]:
            ends, numbers = (keys[int(line[1])], keys[int(line[2])]), line[4 : 4 + 2 * int(line[3])]
            way = tuple(map(point, numbers[::2], numbers[1::2]))
            ways.setdefault(ends, []).append(way)
    return Found(
        size=(INCH * width, INCH * height),
        middles={key: middles[key] for key in keys},
        ways=[ways[ends].pop(0) for ends in links],
    )
