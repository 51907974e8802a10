"""Policies that improve another one by simulation; they join the registry of classics."""

from ..classic import register
from .look_ahead import LOOK_AHEAD, on

register(LOOK_AHEAD, on)
