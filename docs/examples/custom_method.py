"""A method of your own: power sampling by importance sampling of whole completions.

    python custom_method.py

It samples N independent completions from the model and weights each by p(y)^(alpha - 1).
The weighted completions target p(y)^alpha, and the mean weight is an unbiased estimate of
the normalising constant Z = sum of p(y)^alpha. `power-smc` has the same target, so the two
estimates of log Z agree up to sampling noise. Importance sampling fails where good
completions are rare: none of the N may be one. `power-smc` looks for them token by token.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

import localsmc
from localsmc.methods import KVDemand, ParticleRun, Request, Sample, WeightedText
from localsmc.methods.smc.particle_run import token_by_token


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportanceSampling:
    """A method: its parameters, and `start`, which begins a run."""

    name: ClassVar[str] = "importance-sampling"
    select: ClassVar[str] = "draw"  # the printed completion is drawn by weight
    particles: int = 256
    alpha: float = 4.0

    @property
    def weight_exponent(
        self,
    ) -> float:  # the exponent, by which `confidence` judges the weights
        return self.alpha

    @property
    def kv_demand(
        self,
    ) -> KVDemand:  # the memory it needs: sequences, and completions of full length
        return KVDemand(self.particles, self.particles)

    def start(self, request: Request) -> "ReweightedRun":
        return ReweightedRun(request, self)


class ReweightedRun(ParticleRun):
    """A run of `Sample` whose completions are reweighted."""

    def __init__(self, request: Request, method: ImportanceSampling) -> None:
        self.alpha = method.alpha
        # `advance` samples one more token for every particle, until all have ended.
        program = token_by_token(Sample(particles=method.particles).advance)
        super().__init__(
            request, [method.particles], program, share=True, has_evidence=False
        )

    def log_weights(self, endings: list[WeightedText]) -> np.ndarray:
        shares = np.array(
            [e.weight for e in endings]
        )  # of the N particles, on each completion
        return np.log(shares) + (self.alpha - 1) * np.array([e.logp for e in endings])

    def endings(self) -> list[WeightedText]:
        unweighted = super().endings()
        log_weights = self.log_weights(unweighted)
        weights = np.exp(log_weights - np.logaddexp.reduce(log_weights))
        weighted = [
            replace(e, weight=float(w)) for e, w in zip(unweighted, weights, strict=True)
        ]
        return sorted(weighted, key=lambda ending: -ending.weight)

    @property
    def log_z(self) -> float | None:
        if not self.is_done:
            return None
        return float(np.logaddexp.reduce(self.log_weights(super().endings())))

    def ess_of(self, endings: Sequence[WeightedText]) -> float:
        return 1 / sum(ending.weight**2 for ending in endings)


if __name__ == "__main__":
    with localsmc.load() as model:
        for method in (
            ImportanceSampling(),
            model.method("power-smc", particles=256, alpha=4.0),
        ):
            settings = localsmc.Settings(seed=1)
            result = localsmc.solve(
                model, "What is 17 * 23?", method=method, settings=settings
            )
            print(f"{method.name}: {result.answer}, log Z {result.log_z:.2f}")
