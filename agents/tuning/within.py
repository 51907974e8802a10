"""Search within targets: from generous numbers down to the least cost or stock that reaches them.

    1. Scale all numbers up until the targets are reached.
    2. From there, and from the best of a first sample, move number by number (or group by group)
       as long as that lowers the cost and the targets are still reached, with smaller and smaller
       steps.
    3. Do the last steps again on the finalists' episodes: up if they miss a target, down if they
       have reserves.

A search that only compares candidates stops early at the edge of a target: every step down misses
it, and every step up costs more. Therefore each step of one number is simulated alone, and its
effects on cost and service are assumed to add up (marginal analysis; Sherbrooke 1968). Then the
most promising combinations are simulated: one number down, and another up by enough steps to
compensate.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jitgym import units

from .space import FEW_NUMBERS, MANY_NUMBERS, Point
from .trial import Trial

Array = npt.NDArray[np.float64]
Steps = npt.NDArray[np.int64]

SCALES = (0.25, 0.5, 0.75, 1.25, 1.5, 2.0, 3.0, 4.0)  # multiples of the textbook's values
WAYS = (0.25, 0.5, 0.75, 1.0)  # shares of the way from the textbook's values to the highest
WIDER = (2, 4, 8, 16)  # factors of the ranges: the first, or the next that reaches the targets
STARTS = 2  # number of starts of a search
ROUGH = 1 / 3  # share of the episodes for all but the finest steps
PROPOSALS = 12  # number of combinations that are simulated at a time
FURTHEST = 8  # largest number of steps of one number in a combination
FINAL_PROPOSALS = 4  # number of candidates that run at a time on the finalists' episodes
NEAR = 0.001  # the last steps end at this reserve, relative to the target
ROUNDS = 5  # number of rounds of the last steps, on the finalists' episodes


def generous(trial: Trial) -> None:
    """Run scaled values; if none reaches the targets, widen the ranges until one does."""
    space = trial.space
    low, high = space.bounds
    scaled = [np.rint(space.textbook * (scale - 1) / space.step) for scale in SCALES]
    on_the_way = [way * high for way in WAYS]
    lower = [0.5 * low]
    trial.run(space.clipped(np.array([*scaled, *on_the_way, *lower]).astype(np.int64)))
    for times in WIDER:
        wide = space.widened(times)
        trial.run(wide.clipped(np.array([wide.bounds[1], *scaled]).astype(np.int64)))
        if times == WIDER[0] or reaches(trial, trial.best(1)[0]):
            trial.space = wide
        if reaches(trial, trial.best(1)[0]) or trial.is_spent:
            return


def reaches(trial: Trial, point: Point) -> bool:
    """Whether a candidate reaches the targets."""
    return trial.standing[point].is_reached


def apart(trial: Trial) -> list[Point]:
    """Return the best candidates so far that differ clearly from each other, at most STARTS."""
    far = 2 * trial.space.coarse
    found: list[Point] = []
    for point in trial.best(len(trial.cost)):
        if all((np.abs(np.subtract(point, other)) >= far).any() for other in found):
            found.append(point)
        if len(found) == STARTS:
            break
    return found


def down(trial: Trial, starts: Sequence[Point]) -> Generator[None, None, None]:
    """Move from several starts with smaller and smaller steps; yield `trial.space.fine` times."""
    points, steps = list(starts), trial.space.coarse
    rough = trial.thinned(ROUGH)
    for _ in range(trial.space.fine):
        at = trial if (steps == 1).all() else rough
        at.run(points)
        for k, point in enumerate(points):
            points[k] = descended(at, point, steps)
        # If there are many numbers, only the best start goes on after the coarsest steps.
        if trial.space.size > FEW_NUMBERS:
            points = [min(points, key=at.score)]
        steps = np.maximum(steps // 2, 1)
        yield
    trial.add(rough)


def descended(trial: Trial, point: Point, steps: Steps) -> Point:
    """Move to the best neighbor or combination of steps, as long as that helps."""
    while not trial.is_spent:
        near = around(trial, point, steps)
        trial.run(near)
        best = min([point, *near], key=trial.score)
        if best == point and is_paired(trial, point):
            pairs = trial.space.clipped(np.array(point) + trial.space.moves * steps)
            trial.run(pairs)
            best = min([point, *pairs], key=trial.score)
        if best == point:
            break
        point = best
    return point


def around(trial: Trial, point: Point, steps: Steps) -> list[Point]:
    """Run the single steps, and return their points and those of promising combinations."""
    effects = effects_of(trial, point, steps)
    return [each.point for each in effects] + proposals(trial, point, effects)


def is_paired(trial: Trial, point: Point) -> bool:
    """Whether to move two numbers at a time: if there are few, or the target is not reached."""
    return trial.space.size <= FEW_NUMBERS or not reaches(trial, point)


def settled(final: Trial, trial: Trial) -> None:
    """Repeat the last steps until the best candidate on the finalists' episodes is found.

    The episodes of the search overstate the service of its best candidate, compared with the
    finalists' episodes. This difference is added to the targets, the search goes on, and its best
    candidates become finalists too. If one addition was too small and another one too large, the
    mean of the two is tried next (bisection).
    """
    ones = np.ones(final.space.size, dtype=np.int64)
    (point,) = trial.best(1)
    more = np.zeros(len(trial.standing[point].reserves))
    too_little: Array | None = None
    too_much: Array | None = None
    for turn in range(ROUNDS):
        if reaches(final, point):
            if turn > 0 and min(final.standing[point].reserves) <= NEAR:
                return
            too_much = more
        else:
            too_little = more
        if too_little is not None and too_much is not None:
            more = (too_little + too_much) / 2
        else:
            more = np.subtract(trial.standing[point].reserves, final.standing[point].reserves)
        asking = trial.asking(more)
        starts = dict.fromkeys((point, *asking.best(1)))
        found = [descended(asking, start, ones) for start in starts]
        point = min(found, key=asking.score)
        trial.learn(asking)
        final.run([point, *asking.best(FINAL_PROPOSALS)])


@dataclass(frozen=True)
class Effect:
    """The effect of one step of a number, or of a group of numbers."""

    move: Steps  # (numbers,)
    point: Point  # the candidate after the step
    least: float  # change of cost or stock
    reserves: Array  # change of the reserve of each target, (targets,)


def effects_of(trial: Trial, point: Point, steps: Steps) -> list[Effect]:
    """Simulate each step of a number or group alone, and return its effect."""
    space = trial.space
    moves = directions(space.groups, space.size) * steps
    found: dict[Point, Steps] = {}
    for move in moves:
        (there,) = space.clipped((np.array(point) + move)[np.newaxis])
        if there != point:
            found.setdefault(there, np.array(there) - np.array(point))
    trial.run(list(found))
    here = trial.standing[point]
    effects = []
    for there, move in found.items():
        standing = trial.standing[there]
        reserves = np.subtract(standing.reserves, here.reserves)
        effects.append(Effect(move, there, standing.least - here.least, reserves))
    return effects


def directions(groups: Steps, count: int) -> Steps:
    """Return single moves of numbers and of groups, up and down, (moves, numbers)."""
    alone = np.eye(count, dtype=np.int64)
    if count <= FEW_NUMBERS:
        return np.vstack([alone, -alone])
    together = (groups == np.arange(groups.max() + 1)[:, np.newaxis]).astype(np.int64)
    if count > MANY_NUMBERS:
        return np.vstack([together, -together])
    each = np.unique(np.vstack([together, alone]), axis=0)
    return np.vstack([each, -each])


def proposals(trial: Trial, point: Point, effects: Sequence[Effect]) -> list[Point]:
    """Return the most promising combinations of steps, assuming that effects add up."""
    here = trial.standing[point]
    reserves = np.array(here.reserves)
    promised: list[tuple[float, Steps]] = []
    for first in (None, *effects):
        left = reserves if first is None else reserves + first.reserves
        least = 0.0 if first is None else first.least
        begun = np.zeros(len(point), dtype=np.int64) if first is None else first.move
        if first is not None and (left >= 0).all():
            promised.append((least, begun))
        for second in effects:
            count = times(left, second)
            if count and (first is None or np.any(first.move * second.move) == 0):
                promised.append((least + count * second.least, begun + count * second.move))
    promised += greedy(reserves, effects, len(point))
    cheaper = [each for each in promised if not here.is_reached or each[0] < 0]
    cheaper.sort(key=lambda each: each[0])
    found: dict[Point, None] = {}
    for _, move in cheaper:
        (there,) = trial.space.clipped((np.array(point) + move)[np.newaxis])
        if there not in trial.cost:
            found[there] = None
        if len(found) == PROPOSALS:
            break
    return list(found)


def times(left: Array, effect: Effect) -> int:
    """Return how many steps close a miss of the targets, or use up the reserves; 0 if none do."""
    if (left < 0).any():
        short = left < 0
        if (effect.reserves[short] <= 0).any():
            return 0
        count = int(units.whole_up(np.max(-left[short] / effect.reserves[short])))
        after = left + count * effect.reserves
        return count if count <= FURTHEST and (after >= -1e-12).all() else 0
    if effect.least >= 0:
        return 0
    falling = effect.reserves < 0
    if not falling.any():
        return FURTHEST
    return min(FURTHEST, int(np.floor(np.min(left[falling] / -effect.reserves[falling]))))


def greedy(reserves: Array, effects: Sequence[Effect], count: int) -> list[tuple[float, Steps]]:
    """Return all steps that save most per service lost, together, and the first half of them."""
    saving = [each for each in effects if each.least < 0]

    def price(effect: Effect) -> float:
        return float(np.maximum(-effect.reserves, 0.0).sum()) / -effect.least

    left, least, moved = reserves.copy(), 0.0, np.zeros(count, dtype=np.int64)
    found = []
    for each in sorted(saving, key=price):
        if (left + each.reserves >= 0).all() and not np.any(moved * each.move):
            left, least, moved = left + each.reserves, least + each.least, moved + each.move
            found.append((least, moved))
    return [found[k] for k in {len(found) - 1, len(found) // 2}] if found else []
