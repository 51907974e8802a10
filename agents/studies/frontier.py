"""The frontier of stock against service: how much inventory each policy needs for a fill rate.

The search covers the whole frontier. It starts from samples and from the frontiers of the simpler
policies that a policy contains. Every candidate that needs the least stock for its fill rate is
moved by the steps of the tuner's pattern, one or two numbers at a time, until nothing improves;
then the steps are halved. Finally, the best candidates of all policies at equal fill rates are
compared on fresh episodes by paired differences.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from jitgym.envs.engine import MOST_SEED
from jitgym.errors import whole_number
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
SAME = 0.002  # fill rates that differ by no more than this count as equal
SAMPLE = 128
MOST = 1500  # most candidates of a policy
FINAL_EPISODES = 512
FINALISTS = 12  # candidates per fill rate that are run again
MISSED = 0.01  # share of the stock that a converged search may miss
WINDOW = 4 * SAME  # candidates this near to a fill rate are run again


@dataclass
class Explored:
    """The stock and fill rate of the candidates of a policy, on the tuner's episodes."""

    classic: Classic
    layout: Layout
    space: Space
    seed: int
    episodes: int
    found: dict[Point, tuple[float, float]] = field(default_factory=dict)  # fill rate, stock

    def run(self, points: Iterable[Point]) -> None:
        """Simulate the candidates that were not simulated before."""
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
        """Return the candidates with least stock, one per SAME / 2 of fill rate, by fill rate."""
        best: dict[int, Point] = {}
        for point, (rate, stock) in self.found.items():
            place = math.floor(rate / (SAME / 2))
            if low <= rate <= high and (place not in best or stock < self.found[best[place]][1]):
                best[place] = point
        kept: list[Point] = []
        for place in sorted(best, reverse=True):  # drop more stock for less service
            if not kept or self.found[best[place]][1] < self.found[kept[-1]][1]:
                kept.append(best[place])
        return kept[::-1]

    def again(self, rates: Sequence[float]) -> Explored:
        """Return the best candidates near these fill rates, run again on more episodes of `tune`.

        Several are run again per fill rate: the best of thousands of candidates is partly lucky on
        its own episodes, and few episodes do not tell apart fill rates that differ by SAME. Also
        re-run candidates above these fill rates.
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
        """Return the candidate with least stock within SAME / 2 of this fill rate.

        Return None if more service takes clearly less stock: the search did not converge here.
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
    """Return the stock that a policy needs for fill rates from low to high."""
    seed = whole_number("seed", seed, 0, MOST_SEED - FRESH)
    episodes = whole_number("episodes", episodes, least=1)
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
    """One policy at a fill rate, on fresh episodes, compared with the first policy."""

    policy: str
    parameters: dict[str, object]
    fill_rate: float
    apart: float  # fill rate minus that of the first policy
    stock: float  # units
    more: Interval | None  # stock minus that of the first policy, episode by episode


def meet(
    explored: Sequence[Explored], rate: float, seed: int = 0, episodes: int = 256
) -> list[Meeting]:
    """Return the result of every policy at this fill rate on the split `test`.

    A policy without a candidate nearby is left out. If that is the first policy, the result is
    empty, because there is nothing to compare with.
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
    explored: Sequence[Explored],
    low: float,
    high: float,
    count: int,
    *,
    progress: bool = False,
) -> tuple[list[Explored], list[float]]:
    """Return the candidates near fill rates that all policies reach, run again, and the rates.

    The rates are some of those of the policy with the fewest candidates: a policy with a single
    number of cards leaves gaps.
    """
    fewest = min(explored, key=lambda each: len(each.found))
    rates = sorted(rate for rate, _ in fewest.found.values() if low <= rate <= high)
    if not rates:
        return list(explored), []
    chosen = np.linspace(0, len(rates) - 1, min(count, len(rates))).round().astype(int)
    rates = [rates[k] for k in chosen.tolist()]
    places = {rate: p for p, (rate, _) in fewest.found.items() if rate in rates}
    title = f"run the best again on {fewest.layout.scenario.name}"
    with Progress(title, len(explored), shown=progress) as bar:
        again = fewest.again(rates)
        again.run(places.values())
        rates = [again.found[places[rate]][0] for rate in rates]
        found = []
        for each in explored:
            found.append(again if each is fewest else each.again(rates))
            bar.advance()
        return found, rates


def page(meetings: Sequence[Sequence[Meeting]]) -> str:
    """Return the table of a plant, and sentences that summarize it."""
    return "\n".join([tables.markdown(table(meetings)), *_sentences(meetings), ""])


def table(meetings: Sequence[Sequence[Meeting]]) -> tables.Table:
    """Return the stock that each policy needs at each fill rate as a table."""
    columns = (
        tables.Column("fill_rate", importance=tables.KEPT, form=".4f"),
        tables.Column("policy", importance=tables.KEPT, align="left"),
        tables.Column("stock", importance=tables.KEPT, form=".3f"),
        tables.Column("compared_with_the_first", absent=""),
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
    apart = "" if abs(each.apart) <= SAME else f"; fill rate differs by {each.apart:+.4f}"
    return f"{each.more.mean:+.3f} ± {each.more.half_width:.3f}{apart}"


def _sentences(meetings: Sequence[Sequence[Meeting]]) -> list[str]:
    """Return a sentence on each other policy at equal fill rates, by the signs of its intervals."""
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
        between = f"; stock differs by {min(shares):+.1f} to {max(shares):+.1f} %" if shares else ""
        told.append(
            f"- {name} compared with {first} at {len(equal)} equal fill rates: less stock at "
            f"{less}, more at {more_of}, no significant difference at "
            f"{len(equal) - less - more_of}{between}."
        )
    return told
