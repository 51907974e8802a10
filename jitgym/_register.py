"""Registers the environment ids with Gymnasium: one per scenario of the catalog, and Plant-v0."""

from __future__ import annotations

from pathlib import Path

import gymnasium

CATALOG = Path(__file__).parent / "catalog"


def environment_id(scenario: str) -> str:
    """Return the id of a catalog scenario.

    >>> environment_id("lost-sales")
    'jitgym/LostSales-v0'
    """
    return f"jitgym/{''.join(word.capitalize() for word in scenario.split('-'))}-v0"


def register_environments() -> None:
    """Register every id; the code of environments is imported only when one is made."""
    for file in sorted(CATALOG.glob("*.yaml")):
        _register(environment_id(file.stem), {"scenario": file.stem})
    _register("jitgym/Plant-v0", {})


def _register(name: str, given: dict[str, str]) -> None:
    gymnasium.register(
        name,
        entry_point="jitgym.envs:PlantEnv",
        vector_entry_point="jitgym.envs:VectorPlant",
        kwargs=given,
    )
