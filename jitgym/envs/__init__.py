"""Environments: one engine of compiled plants, with Gymnasium's single and vector API."""

from .encodings import CONTROLS, ActionEncoding, Control, ObservationEncoding
from .engine import Engine, ask
from .single import PlantEnv
from .vector import VectorPlant

__all__ = [
    "CONTROLS",
    "ActionEncoding",
    "Control",
    "Engine",
    "ObservationEncoding",
    "PlantEnv",
    "VectorPlant",
    "ask",
]
