"""The types of a distribution in a scenario: any distribution by its name, or a number."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from .plain import (
    Binomial,
    Deterministic,
    Finite,
    Gamma,
    Geometric,
    NegativeBinomial,
    Normal,
    Poisson,
    Uniform,
)
from .processes import Event, Intermittent, LifeCycle, PartOf, Regimes
from .recorded import Recorded


def _number_is_deterministic(given: object) -> object:
    if isinstance(given, int | float) and not isinstance(given, bool):
        return {"distribution": "deterministic", "value": given}
    return given


_Listed = (
    Deterministic
    | Poisson
    | Geometric
    | NegativeBinomial
    | Uniform
    | Gamma
    | Normal
    | Binomial
    | Finite
    | Event
    | Intermittent
)

AnyDistribution = Annotated[
    Annotated[_Listed, Field(discriminator="distribution")],
    BeforeValidator(_number_is_deterministic),
]
"""Any distribution by its name, or a number."""

DemandDistribution = Annotated[
    Annotated[
        _Listed | Recorded | PartOf | Regimes | LifeCycle, Field(discriminator="distribution")
    ],
    BeforeValidator(_number_is_deterministic),
]
"""Any distribution by its name, recorded quantities, or a number."""


for _nested in (Regimes, Intermittent):
    _nested.model_rebuild(_types_namespace={"AnyDistribution": AnyDistribution})
