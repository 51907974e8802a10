"""The report of a comparison: one HTML file, figures inside, nothing from the network."""

from .page import Section, write

__all__ = ["Section", "write"]
