"""The table of methods. To add one, write a module, add its class here, and test its exact distribution."""

from __future__ import annotations

from localsmc.methods.base import Method, from_options
from localsmc.methods.mcmc.parallel_tempering import PowerTempering
from localsmc.methods.mcmc.power_mh import PowerMH
from localsmc.methods.request import DraftModel, KVDemand, Request, WeightedText
from localsmc.methods.run import SamplingRun
from localsmc.methods.sampling.best_of_n import BestOfN
from localsmc.methods.sampling.sample import Greedy, Sample
from localsmc.methods.sampling.self_consistency import SelfConsistency
from localsmc.methods.smc.draft_smc import DraftSMC
from localsmc.methods.smc.particle_run import ParticleRun
from localsmc.methods.smc.power_smc import PowerSMC
from localsmc.methods.speculative.cascade import Cascade
from localsmc.methods.speculative.speculative import Speculative
from localsmc.methods.ssr.ssr import SSR

__all__ = [
    "METHODS",
    "SSR",
    "BestOfN",
    "Cascade",
    "DraftModel",
    "DraftSMC",
    "WeightedText",
    "Greedy",
    "Method",
    "ParticleRun",
    "PowerMH",
    "PowerSMC",
    "PowerTempering",
    "Request",
    "KVDemand",
    "SamplingRun",
    "Sample",
    "SelfConsistency",
    "Speculative",
    "from_options",
]

METHODS: dict[str, type[Method]] = {
    method.name: method
    for method in (
        PowerSMC,
        PowerMH,
        PowerTempering,
        Sample,
        Greedy,
        BestOfN,
        SelfConsistency,
        Speculative,
        Cascade,
        DraftSMC,
        SSR,
    )
}
