"""Speculative decoding: a draft model proposes blocks of tokens, and the target verifies each in one batch.

Target    that of `sample`, at temperature 0 that of `greedy`; the draft does not change the distribution.
          Every token is drawn from p(v|h)^(1/temperature), normalised on the tokens that top-k, top-p and
          min-p keep.
Proposal  blocks of up to `n_max` tokens from the draft, at the same temperature and truncation; with
          `p_min` a block ends if the draft's most probable token has less than that probability. With
          `adaptive` the length of a block is the best one for the share of tokens accepted so far and the
          models' numbers of parameters.
Weight    equal; N independent completions.
Stops     when every completion has ended: end token, stop rule or n_tokens.
Cost      one decoded token of the target per drafted token, and one more per round; one of the draft per
          drafted token. Rejected tokens are wasted work of both.
Source    Leviathan et al., arXiv 2211.17192; Chen et al., arXiv 2302.01318. Tokens that only one of the
          vocabularies has are never drafted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from localsmc.methods.base import Unused, reject_unused
from localsmc.methods.request import Request
from localsmc.methods.sampling.sample import lowest_logit, require_truncation
from localsmc.methods.speculative.speculative_run import SpeculativeConfig, SpeculativeRun
from localsmc.numerics.log_math import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Speculative(SpeculativeConfig):
    """Parameters of `SpeculativeConfig`, and the truncations of `Sample`, off by default."""

    name: ClassVar[str] = "speculative"
    no_grammar: ClassVar[str] = "it would sample from the same distribution as `sample`, which supports one"

    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0

    def __post_init__(self) -> None:
        super(Speculative, self).__post_init__()
        require_truncation(self.top_k, self.top_p, self.min_p)
        reject_unused(self)

    @property
    def unused(self) -> list[Unused]:
        """The parameters that have no effect with the others as they are."""
        if self.temperature:
            return []
        return [Unused(("top_k", "top_p", "min_p"), "with `temperature=0`", "raise the temperature")]

    def start(self, request: Request) -> SpeculativeRun:
        """See `Method.start`."""
        truncates = self.top_k > 0 or self.top_p < 1.0 or self.min_p > 0.0
        return SpeculativeRun(self, request, induced=None, lowest=self._lowest if truncates else None)

    def _lowest(self, logits: Floats) -> float:
        return lowest_logit(logits, self.top_k, self.top_p, self.min_p)
