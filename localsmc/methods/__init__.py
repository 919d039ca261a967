"""The table of methods. To add one: a file of its own, a row here, exact tests."""

from __future__ import annotations

from localsmc.methods.base import Ending, Method, ParticleRun, Request, from_options
from localsmc.methods.power_smc import PowerSMC
from localsmc.methods.sampling import Greedy, Sample

__all__ = [
    "METHODS",
    "Ending",
    "Greedy",
    "Method",
    "ParticleRun",
    "PowerSMC",
    "Request",
    "Sample",
    "from_options",
]

METHODS: dict[str, type[PowerSMC] | type[Sample] | type[Greedy]] = {
    method.name: method for method in (PowerSMC, Sample, Greedy)
}
