"""The report of a comparison: one HTML file, figures inside, nothing from the network."""

from .charts import Curve, Decisions
from .page import Section, write

__all__ = ["Curve", "Decisions", "Section", "write"]
