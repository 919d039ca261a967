"""The list of checks, in order."""

from __future__ import annotations

from collections.abc import Iterator

from localsmc.doctor import model_checks, network_checks, system_checks
from localsmc.doctor.finding import Check, Finding, examine
from localsmc.doctor.llama_build import LlamaBuild


def checkup(model: str | None = None, *, configuration: Check = system_checks.config) -> Iterator[Finding]:
    """Run all checks in order, and those of `model` if one is given."""
    for name, check in _checks(model, configuration):
        yield examine(name, check)


def _checks(model: str | None, configuration: Check) -> Iterator[tuple[str, Check]]:
    engine = LlamaBuild()
    yield "Python", system_checks.python
    yield "llama.cpp", engine.build
    yield "GPU", engine.gpu
    yield "CPU", engine.processor
    yield "memory", system_checks.memory
    yield "embedded models", model_checks.embedded
    yield "a problem", engine.solve
    yield "cache", system_checks.cache
    yield "configuration", configuration
    yield "conversations", system_checks.data
    yield "hub cache", system_checks.models
    yield "hub", network_checks.reach
    yield "token", network_checks.token
    yield "extras", system_checks.packages
    if model is not None:
        yield from model_checks.GivenModel(model, engine).checks()
