"""Plants whose shape varies with a number: functions that return a Scenario, by name."""

from __future__ import annotations

from collections.abc import Callable

from jitgym.scenario import Scenario

FAMILIES: dict[str, Callable[..., Scenario]] = {}
