"""The report of a run of compare.py: what it needs is stored with the run, so it can be made again.

comparison.json    verdict, reference, optimum, notes, parameters, how the reference was chosen
scenario.yaml      the plant, whole
paths/*.svg        sample paths of the reference and of the best policy, on one tape
decisions.json     what both order at the inventory positions that occur
training.json      the learners; the looks of each lie in its folder
robustness.json    both on plants that differ from this one
sizes.csv          stock and service of the tuned classics over their size
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from jitgym import load
from jitgym.control import Policy
from jitgym.documents import write_whole
from jitgym.evaluate import RunError
from jitgym.plant import lay_out
from jitgym.report import paths
from jitgym.report.comparisons import ComparisonRow, comparison
from jitgym.report.html import Curve, Decisions, Section
from jitgym.report.tables import Table
from jitgym.scenario import Scenario

from . import robustness, sizes

if TYPE_CHECKING:
    import pandas

    from ..learned.training import Trained
    from ..tuning.search import TunedPolicy

FILE, DECISIONS = "comparison.json", "decisions.json"
TRAININGS, ROBUSTNESS = "training.json", "robustness.json"
SIZES = "sizes.csv"

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Said:
    """What a comparison says beside its rows, as plain data."""

    verdict: str
    reference: str
    optimum: float | None
    tuned: tuple[str, ...]  # names of the tuned classics
    notes: tuple[str, ...]
    parameters: Mapping[str, Mapping[str, Any]]
    chosen_on: str
    command: str


def store(said: Said, scenario: Scenario, folder: Path) -> None:
    """Write what a report needs beside rows.csv."""
    write_whole(folder / FILE, json.dumps(asdict(said), indent=1) + "\n")
    scenario.to_yaml(folder / "scenario.yaml")


def draw_paths(policies: Sequence[Policy], scenario: Scenario, folder: Path, seed: int) -> None:
    """Write a sample path of each policy, on one tape of the split `validate`, and its orders."""
    from ..learned.samples import sample

    layout, place = lay_out(scenario), folder / "paths"
    place.mkdir(exist_ok=True)
    found = []
    for k, policy in enumerate(policies):
        taken = sample(policy, layout, seed)
        picture = paths.draw(scenario, taken.path(policy.name), form="svg")
        write_whole(place / f"{k}.svg", picture.decode())
        sources = {
            name: mean_orders(taken.position[:, :, j], taken.granted[:, :, j])
            for j, name in enumerate(scenario.sources)
        }
        found.append({"policy": policy.name, "sources": sources})
    write_whole(folder / DECISIONS, json.dumps(found) + "\n")


FEWEST = 12  # states at a position, for a mean that is drawn
BINS = 30  # of positions, where there are more


def mean_orders(position: Array, granted: Array) -> list[tuple[float, float]]:
    """Return the mean order at each inventory position that occurs often, both in units."""
    at, order = np.ravel(position), np.ravel(granted)
    width = max(1.0, np.ceil((at.max() - at.min() + 1.0) / BINS))
    bins = np.floor((at - at.min()) / width)
    return [
        (float(at[bins == k].mean()), float(order[bins == k].mean()))
        for k in np.unique(bins)
        if (bins == k).sum() >= FEWEST
    ]


def store_trainings(trained: Sequence[Trained], folder: Path) -> None:
    """Write which learners were trained; their looks lie in the folder of each training."""
    found = [
        {
            "learner": each.policy.name,
            "start": each.start.name,
            "start_cost": each.cost,
            "folder": each.folder.name,
        }
        for each in trained
        if each.folder is not None and each.cost == each.cost
    ]
    write_whole(folder / TRAININGS, json.dumps(found, indent=1) + "\n")


QUICK = 3.0
"""CPU seconds of a tuning; up to this, a comparison also retunes the classic for each change."""


def store_robustness(
    policies: Sequence[Policy], retuning: float, scenario: Scenario, folder: Path, episodes: int
) -> None:
    """Write how policies fare, unchanged, on plants that differ; `retuning` takes CPU seconds."""
    is_quick = retuning <= QUICK
    rows, notes = robustness.judge(
        policies, scenario, episodes=episodes, retune=is_quick, progress=True
    )
    if not is_quick:
        notes.append(
            f"scripts/robustness.py {scenario.name} also retunes the classic for each change"
        )
    found = {"rows": [robustness.as_json(row) for row in rows], "notes": notes}
    write_whole(folder / ROBUSTNESS, json.dumps(found, indent=1) + "\n")


def store_sizes(tuned: Sequence[TunedPolicy], scenario: Scenario, folder: Path, seed: int) -> None:
    """Write what stock and service the tuned classics have over their size."""
    found = sizes.over_sizes(tuned, scenario, seed, progress=True)
    write_whole(folder / SIZES, found.to_csv(index=False))


def _sizes(folder: Path) -> pandas.DataFrame | None:
    import pandas

    path = folder / SIZES
    if not path.is_file():
        return None
    with _readable(path):
        found = pandas.read_csv(path)
        return found.astype({"policy": str} | dict.fromkeys(["factor", *sizes.KPIS], float))


def _robustness(folder: Path, scenario: Scenario) -> Table | None:
    path = folder / ROBUSTNESS
    if not path.is_file():
        return None
    with _readable(path):
        data = json.loads(path.read_text(encoding="utf-8"))
        rows = [robustness.from_json(row) for row in data["rows"]]
        return robustness.table(rows, scenario, [str(note) for note in data["notes"]])


def _decisions(folder: Path) -> list[Decisions]:
    path = folder / DECISIONS
    if not path.is_file():
        return []
    with _readable(path):
        return [
            Decisions(
                str(each["policy"]),
                {
                    str(name): [(float(at), float(order)) for at, order in points]
                    for name, points in each["sources"].items()
                },
            )
            for each in json.loads(path.read_text(encoding="utf-8"))
        ]


def _curves(folder: Path) -> list[Curve]:
    import pandas

    path = folder / TRAININGS
    if not path.is_file():
        return []
    found = []
    with _readable(path):
        for each in json.loads(path.read_text(encoding="utf-8")):
            looks = folder / Path(each["folder"]).name / "looks.csv"
            if looks.is_file():
                cost, frame = float(each["start_cost"]), pandas.read_csv(looks)
                found.append(Curve(str(each["learner"]), str(each["start"]), cost, frame))
    return found


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(
            f"{path}: cannot be read ({error}); expected what compare.py has written"
        ) from None


def shown(rows: Sequence[ComparisonRow], reference: str) -> list[str]:
    """Return the policies whose sample paths are drawn: the best one, and the reference."""
    best = next((row.names[0] for row in rows if row.names[0] != "optimal"), "")
    return [name for name in dict.fromkeys((reference, best)) if name]


def read(folder: Path) -> Section:
    """Return the report of a run. Raises RunError where the folder is not that of a comparison."""
    import pandas

    if not folder.is_dir():
        raise RunError(f"{folder}: no such folder; expected that of a run of compare.py")
    for name in ("rows.csv", FILE, "scenario.yaml"):
        if not (folder / name).is_file():
            raise RunError(f"{folder}: has no {name}; expected the folder of a run of compare.py")
    said = _said(folder / FILE)
    try:
        scenario = load(folder / "scenario.yaml")
        frame = pandas.read_csv(folder / "rows.csv")
        rows = comparison(frame, said.tuned, said.optimum, scenario, reference=said.reference)
    except (KeyError, ValueError) as error:
        raise RunError(
            f"{folder / 'rows.csv'}: {error}; expected the rows of one comparison, unchanged"
        ) from None
    if set(frame["scenario"]) != {scenario.name}:
        raise RunError(
            f"{folder / 'rows.csv'}: rows of {', '.join(sorted(set(frame['scenario'])))}; expected "
            f"{scenario.name}, as in scenario.yaml"
        )
    drawn = sorted((folder / "paths").glob("*.svg"))
    titles = [f"A sample path: {name}" for name in shown(rows, said.reference)]
    pictures = [
        (title, path.read_text(encoding="utf-8"))
        for title, path in zip(titles, drawn, strict=False)
    ]
    if (folder / "optimal.svg").is_file():
        svg = (folder / "optimal.svg").read_text(encoding="utf-8")
        pictures.append(("The optimal policy: orders by net stock", svg))
    return Section(
        scenario,
        rows,
        frame,
        said.verdict,
        said.notes,
        said.parameters,
        said.chosen_on,
        said.command,
        pictures,
        _curves(folder),
        _decisions(folder),
        _robustness(folder, scenario),
        _sizes(folder),
    )


def _said(path: Path) -> Said:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        found = Said(**{**data, "tuned": tuple(data["tuned"]), "notes": tuple(data["notes"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path}: cannot be read ({error}); expected what compare.py has written"
        ) from None
    return found
