"""Plain sampling and greedy decoding with particles: the baselines.

Sample
Target    q(y|x) = Π q(y_t|h); q(v|h) ∝ p(v|h)^(1/temperature) on the tokens that top-k, top-p and
          min-p keep, which use p at temperature 1 (truncation before temperature, as llama.cpp's default).
          This is not the power distribution: every token is normalised separately.
Proposal  the target itself, N independent draws.
Grammar   q(v|h) ∝ p(v|h)^(1/temperature) on the allowed tokens that the truncations keep, applied to the
          allowed tokens. Masking and normalising token by token does not give the model's distribution
          conditioned on the grammar; `power-smc` with alpha=1 does. A sample that reaches a point where no
          token is allowed is dropped.
Weight    equal.
Stops     when every particle has ended: end token, stop rule or n_tokens.
Cost      one decoded token per distinct live history and step; in batches if the KV cache is too small.

Greedy
Target    none: the most probable token at every step (one of them if several are equal); with a grammar,
          the most probable allowed token.
Cost      one decoded token per step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from localsmc.errors import ConfigError, ContextFull
from localsmc.methods.base import require_between
from localsmc.methods.request import KVDemand, Request
from localsmc.methods.run import StepOutcome
from localsmc.methods.smc.particle_run import Advance, ParticleRun, token_by_token
from localsmc.methods.smc.particles import Particles, Proposal
from localsmc.numerics.log_math import Floats
from localsmc.numerics.timing import numerics_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """N independent samples at a temperature above 0; the truncations are off by default."""

    name: ClassVar[str] = "sample"
    select: ClassVar[str] = "draw"

    particles: int = 1
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    share: bool = True

    def __post_init__(self) -> None:
        require_between("particles", self.particles, 1, 1_000_000)
        if self.temperature == 0:
            raise ConfigError("`temperature` 0 is greedy decoding", hint="use `--method greedy`")
        require_between("temperature", self.temperature, 1 / 64, 64.0)
        require_truncation(self.top_k, self.top_p, self.min_p)

    @property
    def weight_exponent(self) -> float | None:
        """The exponent of each token, 1/temperature (for completions approximate); None for one sample."""
        return 1.0 / self.temperature if self.particles > 1 else None

    @property
    def kv_demand(self) -> KVDemand:
        """Room for completions that share no tokens."""
        return KVDemand(self.particles, self.particles)

    def start(self, request: Request) -> ParticleRun:
        """See `Method.start`."""
        return self.run(request, self.advance)

    def run(self, request: Request, advance: Advance) -> ParticleRun:
        """A run of independent particles, in batches, moved by `advance`."""
        waves = batch_sizes(self.particles, request)
        return ParticleRun(request, waves, token_by_token(advance), share=self.share, has_evidence=False)

    def advance(self, particles: Particles) -> StepOutcome:
        """One token for every live particle."""
        alpha = 1.0 / self.temperature
        cuts = self.top_k > 0 or self.top_p < 1.0 or self.min_p > 0.0
        particles.propose(Proposal(alpha, self.lowest if cuts else None))
        return StepOutcome(alpha, particles.ess, False)

    def lowest(self, logits: Floats) -> float:
        """The lowest logit of a row (V,) that top-k, top-p and min-p keep; the highest is always kept."""
        return lowest_logit(logits, self.top_k, self.top_p, self.min_p)


@dataclass(frozen=True, slots=True, kw_only=True)
class Greedy:
    """No parameters."""

    name: ClassVar[str] = "greedy"
    select: ClassVar[str] = "draw"
    kv_demand: ClassVar[KVDemand] = KVDemand(1, 1)
    weight_exponent: ClassVar[None] = None

    def start(self, request: Request) -> ParticleRun:
        """See `Method.start`."""
        return ParticleRun(request, [1], token_by_token(self.advance), share=True, has_evidence=False)

    def advance(self, particles: Particles) -> StepOutcome:
        """The most probable token."""
        particles.greedy_step()
        return StepOutcome(1.0, particles.ess, False)


def require_truncation(top_k: int, top_p: float, min_p: float) -> None:
    """Raise ConfigError for values out of range; 0, 1 and 0 turn truncation off."""
    require_between("top_k", top_k, 0, 10_000_000)
    require_between("top_p", top_p, 0.0, 1.0)
    require_between("min_p", min_p, 0.0, 1.0)


@numerics_time
def lowest_logit(logits: Floats, top_k: int, top_p: float, min_p: float) -> float:
    """The lowest logit of a row (V,) that top-k, then top-p, then min-p keep, at temperature 1."""
    top, lowest = float(logits.max()), -np.inf
    if 0 < top_k < len(logits):
        lowest = float(np.partition(logits, -top_k)[-top_k])
    if top_p < 1.0:
        falling = np.sort(logits[logits >= lowest])[::-1]
        p = np.exp((falling - top).astype(np.float64))
        # The smallest set of tokens whose probability reaches top_p, as in llama.cpp.
        reached = np.cumsum(p) >= top_p * p.sum()
        lowest = float(falling[int(np.argmax(reached))])
    if min_p > 0.0:
        lowest = max(lowest, top + float(np.log(min_p)))
    return lowest


def batch_sizes(n: int, request: Request) -> list[int]:
    """Batch sizes for n independent particles, such that no batch can run out of KV cells or sequences."""
    model = request.model
    together = min(model.n_seq_max, (model.n_cells - len(request.prompt)) // request.n_tokens)
    if n <= together:
        return [n]
    if model.n_seq_max < 2:
        raise ContextFull("samples that do not fit into the KV cache together need at least two sequences")
    # One slot is reserved for the prompt, from which every batch starts.
    size = max(1, min(together, model.n_seq_max - 1))
    return [size] * (n // size) + ([n % size] if n % size else [])
