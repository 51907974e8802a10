"""The files of the catalog: one YAML file per scenario, next to this one."""

from __future__ import annotations

from pathlib import Path

from jitgym import documents
from jitgym.scenario import Scenario, build

FOLDER = Path(__file__).resolve().parent


def names() -> list[str]:
    """Names of the scenarios, sorted.

    >>> "lost-sales" in names()
    True
    """
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


def text(name: str) -> str:
    """The YAML of a scenario, with its comments; raises KeyError for an unknown name."""
    if name not in names():
        raise KeyError(name)
    return path(name).read_text(encoding="utf-8")


def path(name: str) -> Path:
    """The path of the file of a scenario, which need not exist."""
    return FOLDER / f"{name}.yaml"


def read(name: str) -> Scenario:
    """Return a scenario of the catalog; raises KeyError for an unknown name."""
    return build(documents.read(text(name), name), FOLDER)
