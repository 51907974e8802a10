"""Versions: what a stored net or table relies on, so that it is not used with another version."""

from __future__ import annotations

from collections.abc import Mapping

from jitgym import plant

from . import encodings


def versions() -> dict[str, int]:
    """Return the versions of today: of the encodings and of the dynamics."""
    return {"encoding": encodings.ENCODING_VERSION, "dynamics": plant.DYNAMICS_VERSION}


def mismatch(stored: Mapping[str, int]) -> str:
    """Return how stored versions differ from those of today, or an empty string.

    >>> mismatch(versions())
    ''
    >>> mismatch({"encoding": 0, "dynamics": plant.DYNAMICS_VERSION})
    'it was made with version 0 of encoding, and this is version 1'
    """
    today = versions()
    other = [name for name in today if stored.get(name, 0) != today[name]]
    if not other:
        return ""
    then = " and ".join(f"version {stored.get(name, 0)} of {name}" for name in other)
    now = " and ".join(f"version {today[name]}" for name in other)
    return f"it was made with {then}, and this is {now}"
