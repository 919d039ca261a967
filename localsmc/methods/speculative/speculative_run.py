"""Parameters and runs of the methods that accept or reject the tokens of a draft model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from localsmc.methods.base import TOKENS, require_between
from localsmc.methods.request import KVDemand, Request
from localsmc.methods.speculative.deferral_rules import RuleDistribution
from localsmc.methods.speculative.draft_and_verify import DraftedText, SpeculativeDecoder
from localsmc.methods.speculative.token_distributions import TokenDistributions
from localsmc.methods.speculative.two_model_run import TwoModelRun, require_can_forget
from localsmc.numerics.log_math import Floats, Lowest

TargetRule = Callable[[RuleDistribution, RuleDistribution], Floats]
"""π from q and p."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeculativeConfig:
    """N completions at a temperature, 0 for greedy; `n_max` (1 to 64) tokens per block, `p_min` 0 to 1."""

    select: ClassVar[str] = "draw"
    pair: ClassVar[str] = TOKENS

    particles: int = 1
    temperature: float = 1.0
    n_max: int = 3
    adaptive: bool = False
    p_min: float = 0.0

    def __post_init__(self) -> None:
        require_between("particles", self.particles, 1, 1_000_000)
        if self.temperature:
            require_between("temperature", self.temperature, 1 / 64, 64.0)
        require_between("n_max", self.n_max, 1, 64)
        require_between("p_min", self.p_min, 0.0, 1.0)

    @property
    def weight_exponent(self) -> float | None:
        """The exponent of each token, as for `sample`; None for one completion, and at temperature 0."""
        return 1.0 / self.temperature if self.particles > 1 and self.temperature else None

    @property
    def kv_demand(self) -> KVDemand:
        """Room for completions that share no tokens, and a sequence for the prompt."""
        return KVDemand(self.particles + 1, self.particles)


class SpeculativeRun(TwoModelRun):
    """A run in rounds by a decoder from `writers`.

    `induced` is as in `SpeculativeDecoder`, `lowest` as in `TokenDistributions`.
    """

    takes_back: ClassVar[bool] = True
    """Whether rejected tokens are removed from the KV caches of both models."""

    def __init__(
        self,
        method: SpeculativeConfig,
        request: Request,
        *,
        induced: TargetRule | None,
        lowest: Lowest | None = None,
        writers: Callable[..., SpeculativeDecoder] = SpeculativeDecoder,
    ) -> None:
        if self.takes_back:
            require_can_forget(request)
        super().__init__(request, method.particles)
        self._method = method
        self.decoder = writers(
            self.sequences,
            self.drafts,
            self.roots,
            induced=induced,
            tempering=TokenDistributions(method.temperature, lowest, request.model.n_vocab),
            least_sure=method.p_min,
            n_tokens=request.n_tokens,
            stop=request.stop,
            draw=request.draw,
        )
        self._begin_wave()
        self._finish_prefill()

    @property
    def _exponent(self) -> float:
        return 1.0 / self._method.temperature if self._method.temperature else 1.0

    def _advance(self, texts: Sequence[DraftedText]) -> None:
        n_max, counts = self._method.n_max, self.decoder.counts
        if self._method.adaptive:
            accepted = (counts.kept + 1) / (counts.kept + counts.refused + 2)
            n_max = best_length(accepted, self._draft.cost, n_max)
        self.decoder.advance(texts, n_max)


def best_length(accepted: float, cost: float, n_max: int) -> int:
    """The number of tokens to draft, 1 to n_max, that gives the most tokens per unit of compute.

    With acceptance probability a = `accepted`, γ drafted tokens give (1 − a^(γ+1)) / (1 − a) tokens on
    average, for the compute of γ·`cost` + 1 tokens of the target (Leviathan et al., theorem 3.8).
    """

    def gain(length: int) -> float:
        return (1 - accepted ** (length + 1)) / ((1 - accepted) * (length * cost + 1))

    return max(range(1, n_max + 1), key=gain)
