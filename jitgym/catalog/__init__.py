"""The scenarios that come with jitgym, and loading: a name, a family or a path -> a Scenario."""

from .families import FAMILIES
from .files import FOLDER, names, path, text
from .loading import load

__all__ = ["FAMILIES", "FOLDER", "load", "names", "path", "text"]
