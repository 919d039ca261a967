"""The order of the checks."""

from __future__ import annotations

from collections.abc import Iterator

from localsmc.doctor import models, network, system
from localsmc.doctor.engine import Engine
from localsmc.doctor.finding import Check, Finding, examine


def checkup(model: str | None = None, *, configuration: Check = system.config) -> Iterator[Finding]:
    """Every check, one after the other; those of a model where one is named."""
    for name, check in _checks(model, configuration):
        yield examine(name, check)


def _checks(model: str | None, configuration: Check) -> Iterator[tuple[str, Check]]:
    engine = Engine()
    yield "Python", system.python
    yield "llama.cpp", engine.build
    yield "GPU", engine.gpu
    yield "CPU", engine.processor
    yield "memory", system.memory
    yield "embedded models", models.embedded
    yield "a problem", engine.solve
    yield "cache", system.cache
    yield "configuration", configuration
    yield "conversations", system.data
    yield "hub cache", system.models
    yield "hub", network.reach
    yield "token", network.token
    yield "extras", system.packages
    if model is not None:
        yield from models.GivenModel(model, engine).checks()
