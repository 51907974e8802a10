"""The frontier of stock against service: how much inventory each policy needs for a fill rate.

A search as broad as the frontier: from samples, the frontiers of what a policy holds among them,
every candidate that needs least stock for its fill rate is moved by the steps of the tuner's
pattern, one or two numbers at a time, until nothing improves; then the steps are halved. Then the
best of each policy at the same fill rate meet on fresh episodes, difference by difference.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from jitgym.evaluate import Interval, paired, rollout
from jitgym.plant import Layout, lay_out
from jitgym.report import tables
from jitgym.scenario import Scenario

from ..classic import Classic, applicable, plain
from ..progress import Progress
from ..tuning.search import FRESH
from ..tuning.space import Point, Space, roles
from ..tuning.target import STOCK, figures
from ..tuning.trial import outcomes

SERVICE = "fill_rate"
SAME = 0.002  # fill rates that differ by no more are equal
SAMPLE = 128
MOST = 1500  # candidates of a policy
FINAL_EPISODES = 512
FINALISTS = 12  # of a fill rate, who are run again
MISSED = 0.01  # of the stock: what a search may miss and still stand for its policy
WINDOW = 4 * SAME  # around a fill rate: who is run again


@dataclass
class Explored:
    """What candidates of a policy need, and what service they reach, on the tuner's episodes."""

    classic: Classic
    layout: Layout
    space: Space
    seed: int
    episodes: int
    found: dict[Point, tuple[float, float]] = field(default_factory=dict)  # fill rate, stock

    def run(self, points: Iterable[Point]) -> None:
        """Simulate the candidates that were not simulated yet."""
        new = [point for point in dict.fromkeys(points) if point not in self.found]
        if not new:
            return
        build, values = self.classic.build, self.space.values
        policies = [build(self.classic.name, self.layout, values(point)) for point in new]
        _, sums = outcomes(self.layout, policies, self.seed, self.episodes, flows=True)
        for point, each in zip(new, sums, strict=True):
            seen = figures(self.layout, each, [SERVICE])
            self.found[point] = seen[SERVICE], seen[STOCK]

    def frontier(self, low: float, high: float) -> list[Point]:
        """Return those that need least stock, one for each SAME / 2 of fill rate, by fill rate."""
        best: dict[int, Point] = {}
        for point, (rate, stock) in self.found.items():
            place = math.floor(rate / (SAME / 2))
            if low <= rate <= high and (place not in best or stock < self.found[best[place]][1]):
                best[place] = point
        kept: list[Point] = []
        for place in sorted(best, reverse=True):  # who needs more for less service is out
            if not kept or self.found[best[place]][1] < self.found[kept[-1]][1]:
                kept.append(best[place])
        return kept[::-1]

    def again(self, rates: Sequence[float]) -> Explored:
        """Return who needs least stock near these fill rates, on many other episodes of `tune`.

        Several of each fill rate: the best of thousands fits its own episodes best of all, and few
        episodes do not tell fill rates SAME apart. With them, who is to be had above these rates.
        """
        fresh = replace(self, seed=self.seed + FRESH, episodes=FINAL_EPISODES, found={})
        near: dict[int, list[Point]] = {}
        for point in sorted(self.found, key=lambda point: (self.found[point][1], point)):
            rate, _ = self.found[point]
            if any(abs(rate - aim) <= WINDOW for aim in rates):
                near.setdefault(math.floor(rate / (SAME / 2)), []).append(point)
        fresh.run(point for points in near.values() for point in points[:FINALISTS])
        fresh.run(self.frontier(min(rates), 1.0))
        return fresh

    def near(self, rate: float) -> Point | None:
        """Return who needs least stock for this fill rate, half of SAME to either side.

        None where more service takes clearly less: then the search has missed who is best here.
        """
        fitting = [p for p, (found, _) in self.found.items() if abs(found - rate) <= SAME / 2]
        if not fitting:
            return None
        best = min(fitting, key=lambda point: self.found[point][1])
        enough, least = self.found[best]
        clearly = (1 - MISSED) * least
        better = (found > enough and stock < clearly for found, stock in self.found.values())
        return None if any(better) else best


def explore(
    name: str,
    scenario: Scenario,
    low: float,
    high: float,
    seed: int = 0,
    episodes: int = 24,
    *,
    progress: bool = False,
) -> Explored:
    """Return what a policy needs for fill rates from low to high."""
    with Progress(f"explore {name} on {scenario.name}", shown=progress) as bar:
        return _explored(name, scenario, (low, high), seed, episodes, bar)


def _explored(
    name: str,
    scenario: Scenario,
    rates: tuple[float, float],
    seed: int,
    episodes: int,
    bar: Progress,
) -> Explored:
    classic = applicable(name, scenario)
    space = Space(classic.parameters(scenario), roles(scenario))
    explored = Explored(classic, lay_out(scenario), space, seed, episodes)
    starts = space.sample(SAMPLE, seed)
    for special in classic.holds:
        held = _explored(special.classic.name, scenario, rates, seed, episodes, bar)
        for point in held.frontier(*rates):
            starts.append(space.point(special.embed(scenario, held.space.values(point))))
    explored.run(starts)
    steps = space.coarse
    while True:
        bar.update(0, f"{len(explored.found):,} candidates of {name}")
        before = explored.frontier(*rates)
        moves = [np.array(point) + space.moves * steps for point in before]
        if moves and len(explored.found) < MOST:
            explored.run(space.clipped(np.concatenate(moves)))
        if explored.frontier(*rates) == before or len(explored.found) >= MOST:
            if (steps == 1).all() or len(explored.found) >= MOST:
                return explored
            steps = np.maximum(steps // 2, 1)


@dataclass(frozen=True)
class Meeting:
    """One policy at a fill rate, on fresh episodes, and against the first policy."""

    policy: str
    parameters: dict[str, object]
    fill_rate: float
    apart: float  # fill rate less the first's
    stock: float  # units
    more: Interval | None  # stock less the first's, episode by episode


def meet(
    explored: Sequence[Explored], rate: float, seed: int = 0, episodes: int = 256
) -> list[Meeting]:
    """Return every policy at this fill rate on the split `test`.

    Who has none near is left out; where that is the first, there is nothing to be held against.
    """
    meetings: list[Meeting] = []
    if explored[0].near(rate) is None:
        return meetings
    first = None
    for each in explored:
        if (point := each.near(rate)) is None:
            continue
        values = each.space.values(point)
        policy = each.classic.build(each.classic.name, each.layout, values)
        rows = rollout(policy, each.layout.scenario, episodes, seed)
        first = rows if first is None else first
        meetings.append(
            Meeting(
                policy=policy.name,
                parameters=plain(values),
                fill_rate=float(rows[SERVICE].mean()),
                apart=float(rows[SERVICE].mean() - first[SERVICE].mean()),
                stock=float(rows[STOCK].mean()),
                more=None if rows is first else paired(rows, first, STOCK),
            )
        )
    return meetings


def matched(
    explored: Sequence[Explored], low: float, high: float, count: int
) -> tuple[list[Explored], list[float]]:
    """Return the best of each near fill rates that all can have, run again, and these rates.

    They are some of those of whoever has fewest: one number of cards has gaps.
    """
    fewest = min(explored, key=lambda each: len(each.found))
    rates = sorted(rate for rate, _ in fewest.found.values() if low <= rate <= high)
    if not rates:
        return list(explored), []
    chosen = np.linspace(0, len(rates) - 1, min(count, len(rates))).round().astype(int)
    rates = [rates[k] for k in chosen.tolist()]
    places = {rate: p for p, (rate, _) in fewest.found.items() if rate in rates}
    again = fewest.again(rates)
    again.run(places.values())
    rates = [again.found[places[rate]][0] for rate in rates]
    return [again if each is fewest else each.again(rates) for each in explored], rates


def page(meetings: Sequence[Sequence[Meeting]]) -> str:
    """Return the table of a plant, and what it says, sentence by sentence."""
    return "\n".join([tables.markdown(table(meetings)), *_sentences(meetings), ""])


def table(meetings: Sequence[Sequence[Meeting]]) -> tables.Table:
    """Return what each policy needs at each fill rate as a table."""
    columns = (
        tables.Column("fill_rate", importance=tables.KEPT, form=".4f"),
        tables.Column("policy", importance=tables.KEPT, align="left"),
        tables.Column("stock", importance=tables.KEPT, form=".3f"),
        tables.Column("against_the_first", absent=""),
        tables.Column("parameters", importance=0, align="left"),
    )
    rows = [
        (
            each.fill_rate,
            each.policy,
            each.stock,
            None if each.more is None else _difference(each),
            each.parameters,
        )
        for group in meetings
        for each in group
    ]
    return tables.Table(columns, rows)


def _difference(each: Meeting) -> str:
    assert each.more is not None
    apart = "" if abs(each.apart) <= SAME else f"; fill rates {each.apart:+.4f} apart"
    return f"{each.more.mean:+.3f} ± {each.more.half_width:.3f}{apart}"


def _sentences(meetings: Sequence[Sequence[Meeting]]) -> list[str]:
    """What each other policy needs at equal fill rates, by the sign of its intervals."""
    first = next((group[0].policy for group in meetings if group), "")
    told = []
    for name in dict.fromkeys(each.policy for group in meetings for each in group[1:]):
        equal = [
            (each, each.more, group[0].stock)
            for group in meetings
            for each in group[1:]
            if each.policy == name and each.more is not None and abs(each.apart) <= SAME
        ]
        less = sum(more.high < 0 for _, more, _ in equal)
        more_of = sum(more.low > 0 for _, more, _ in equal)
        shares = [100 * more.mean / stock for _, more, stock in equal]
        between = f", by {min(shares):+.1f} to {max(shares):+.1f} %" if shares else ""
        told.append(
            f"- {name} against {first}, at {len(equal)} equal fill rates: less stock at {less}, "
            f"more at {more_of}, no difference shown at {len(equal) - less - more_of}{between}."
        )
    return told
