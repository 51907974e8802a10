"""Policies that improve another policy by simulation; they are in the registry of classics."""

from ..classic import register
from .look_ahead import LOOK_AHEAD, on

register(LOOK_AHEAD, on)
