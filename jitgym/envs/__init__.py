"""Environments: one engine of compiled plants, with Gymnasium's single and vector API."""

from jitgym.control.decoding import ask
from jitgym.control.encodings import (
    CONTROLS,
    DEFAULT_CONTROL,
    ActionEncoding,
    Control,
    ObservationEncoding,
)

from .engine import Engine
from .single import PlantEnv
from .vector import VectorPlant

__all__ = [
    "CONTROLS",
    "DEFAULT_CONTROL",
    "ActionEncoding",
    "Control",
    "Engine",
    "ObservationEncoding",
    "PlantEnv",
    "VectorPlant",
    "ask",
]
