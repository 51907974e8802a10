"""The scenarios that come with jitgym, and `load`, which reads a name, a family or a path."""

from .families import FAMILIES
from .files import FOLDER, names, path, text
from .loading import load

__all__ = ["FAMILIES", "FOLDER", "load", "names", "path", "text"]
