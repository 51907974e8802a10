"""jitgym: describe a plant, and see what a learned pull policy gains over well-tuned classics.

The import registers the environment ids: one for each scenario of the catalog, such as
`jitgym/LostSales-v0`, and `jitgym/Plant-v0` with `scenario=` for any plant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._register import register_environments
from .errors import ScenarioError

if TYPE_CHECKING:
    from .catalog import load
    from .scenario import Scenario

__version__ = "0.2.0"
__all__ = ["Scenario", "ScenarioError", "load"]

register_environments()


def __getattr__(name: str) -> Any:
    # Imported on first use: scenarios need pydantic, the slowest import of all.
    if name in ("Scenario", "load"):
        from . import catalog, scenario

        return catalog.load if name == "load" else scenario.Scenario
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
