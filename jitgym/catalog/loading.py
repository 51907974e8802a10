"""Loading a scenario by its name, family or path, with overrides of its values."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jitgym import documents
from jitgym.errors import ScenarioError
from jitgym.scenario import Scenario, build
from jitgym.scenario.checks import NAMED, exists

from . import files
from .families import FAMILIES


def load(scenario: str | Path | Scenario, /, **overrides: Any) -> Scenario:
    """Return a scenario, given its name in the catalog, the name of a family, a path or a Scenario.

    The name of an override is a short name of `parameters` or a dotted path. If a short name has
    several paths, a list gives one value to each of them in order, and a single value goes to all.
    Any override removes a known optimum. Raises ScenarioError for a fault.

    >>> lead_time = {"distribution": "uniform", "low": 2, "high": 4}
    >>> load("lost-sales", lead_time=lead_time).mean_lead_time("supplier")
    3.0
    """
    base, overrides = _base(scenario, overrides)
    return _varied(base, overrides) if overrides else base


def _base(
    scenario: str | Path | Scenario, overrides: dict[str, Any]
) -> tuple[Scenario, dict[str, Any]]:
    """The scenario, and the overrides that have not been applied yet."""
    if isinstance(scenario, Scenario):
        return scenario, overrides
    if not isinstance(scenario, str | Path):
        raise ScenarioError(
            f"{scenario!r} is not a scenario; expected a name, a path or a Scenario"
        )
    name = str(scenario)
    if name in files.names():
        return files.read(name), overrides
    if name in FAMILIES:
        own = overrides.keys() & inspect.signature(FAMILIES[name]).parameters.keys()
        base = FAMILIES[name](**{key: overrides[key] for key in own})
        return base, {key: value for key, value in overrides.items() if key not in own}
    path = Path(scenario)
    if path.suffix.lower() in (".yaml", ".yml"):
        return build(documents.read_file(path), path.parent), overrides
    known = documents.suggest(name, sorted({*files.names(), *FAMILIES}))
    raise ScenarioError(
        f"unknown scenario {documents.cut(name)!r}; {known} A file name ends in .yaml or .yml"
    )


def _varied(base: Scenario, overrides: Mapping[str, Any]) -> Scenario:
    given = ", ".join(f"{name}={value!r}" for name, value in overrides.items())
    document = documents.Document(f"{base.file} with {given}", base.document())
    for name, value in overrides.items():
        for path, part in _dealt(base, name, documents.tidy(value)):
            _check_path(base, name, path)
            try:
                documents.put(document.data, path, part)
            except ValueError as error:
                raise ScenarioError(f"{document.name}: {path}: {error}") from None
    # The known optimum holds for default parameters only; short names may no longer exist.
    document.data.pop("known_optimum", None)
    document.data.pop("parameters", None)
    varied = build(document, base._folder)
    parameters = {
        name: paths
        for name, paths in base.parameters.items()
        if all(exists(varied, path) for path in paths)
    }
    varied = varied.model_copy(update={"parameters": parameters})
    varied._file, varied._folder = base.file, base._folder
    return varied


def _dealt(base: Scenario, name: str, value: Any) -> list[tuple[str, Any]]:
    """(path, value) for every path that an override sets."""
    paths = base.parameters.get(name, (name,))
    if len(paths) == 1 or not isinstance(value, list):
        return [(path, value) for path in paths]
    if len(value) != len(paths):
        raise ScenarioError(
            f"{base.file}: {name}: has {len(value)} values; expected {len(paths)}, for "
            f"{', '.join(paths)}"
        )
    return list(zip(paths, value, strict=True))


def _paths_to(base: Scenario, field: str) -> list[str]:
    """Dotted paths to all fields with this name that the scenario has, else that it may have."""
    if field in Scenario.model_fields:
        return []
    possible = dict.fromkeys(documents.written_paths(base.document(), field))
    for path in documents.paths_to(field, Scenario):
        section, _, rest = path.partition(".NAME")
        named = getattr(base, section) if section in NAMED else {}
        possible |= dict.fromkeys([f"{section}.{name}{rest}" for name in named] if rest else [path])
    found = [path for path in possible if "NAME" not in path]
    return [path for path in found if exists(base, path)] or found


MOST_PATHS = 4


def _check_path(base: Scenario, name: str, path: str) -> None:
    """Raise ScenarioError if a path leads to an unknown section, part or short name."""
    section, _, rest = path.partition(".")
    if name == path and not rest and (paths := _paths_to(base, name)):
        listed = " or ".join(paths[:MOST_PATHS])
        more = f" (and {len(paths) - MOST_PATHS} more)" if len(paths) > MOST_PATHS else ""
        raise ScenarioError(
            f"{base.file}: unknown parameter {name!r}; expected a path, {listed}{more}, or a short "
            "name that the scenario declares under `parameters`"
            + (f": {', '.join(base.parameters)}" if base.parameters else "")
        )
    settable = [key for key in Scenario.model_fields if key not in ("parameters", "known_optimum")]
    if section not in settable:
        hint = documents.suggest(name, [*base.parameters, *settable])
        hint += "" if hint.endswith("?") else "."
        item = next(iter(base.items))
        raise ScenarioError(
            f"{base.file}: unknown parameter {documents.cut(name)!r}; {hint} For a value inside "
            f"one of these, write its path, such as items.{item}.holding_cost"
        )
    part = rest.partition(".")[0]
    if section in NAMED and part not in getattr(base, section):
        hint = documents.suggest(part, getattr(base, section))
        raise ScenarioError(f"{base.file}: {name}: there is no {section}.{part}; {hint}")
