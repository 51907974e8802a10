"""Published tables, row by row: the best printed policy, the best classic here, and ours.

A table is a folder of `benchmarks/` with `table.csv` (instances and printed figures), `about.yaml`
(source, protocol, tolerance) and `result.json` (the last run). The code of a table takes a row and
returns its figures. `scripts/records.py` runs a table, or another file of the same form.
"""

from .tables import TABLES, Record, Row, find, published, read_rows, run

__all__ = ["TABLES", "Record", "Row", "find", "published", "read_rows", "run"]
