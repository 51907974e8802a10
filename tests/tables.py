"""The published tables beside the tests."""

from __future__ import annotations

import csv
from pathlib import Path

FOLDER = Path(__file__).parent / "published"


def published(file: str) -> list[dict[str, str]]:
    """Return the rows of a published table, column -> text."""
    with (FOLDER / file).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
