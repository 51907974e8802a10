"""The report of a run of compare.py: what it needs is stored with the run, so it can be made again.

comparison.json    verdict, reference, optimum, notes, parameters, how the reference was chosen
scenario.yaml      the plant, whole
paths/*.svg        sample paths of the reference and of the best policy, on one tape
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jitgym import load
from jitgym.control import Policy
from jitgym.documents import write_whole
from jitgym.evaluate import RunError
from jitgym.plant import lay_out
from jitgym.report import paths
from jitgym.report.comparisons import ComparisonRow, comparison
from jitgym.report.html import Section
from jitgym.scenario import Scenario

FILE = "comparison.json"


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
    """Write a sample path of each policy, on one tape of the split `validate`."""
    from ..learned.samples import sample

    layout, place = lay_out(scenario), folder / "paths"
    place.mkdir(exist_ok=True)
    for k, policy in enumerate(policies):
        picture = paths.draw(scenario, sample(policy, layout, seed).path(policy.name), form="svg")
        write_whole(place / f"{k}.svg", picture.decode())


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
