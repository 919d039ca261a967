"""Speculative decoding: a small draft writes ahead, and the target reads what it wrote all at once.

Target    that of `sample`, at temperature 0 that of `greedy`; the draft changes no law. Every token comes
          from p(v|h)^(1/temperature), normalised on the tokens that top-k, top-p and min-p leave.
Proposal  blocks of up to `n_max` tokens from the draft, at the same temperature and truncation; with
          `p_min` it stops where it gives no token that probability. With `adaptive` a block is as long as
          pays most at the share of tokens accepted so far, by the models' numbers of parameters.
Weight    equal; N independent texts.
Stops     when every text has ended: end token, stop rule or n_tokens.
Cost      a row of the target a drafted token, and one more a round; a row of the draft a token. Refused
          tokens are wasted rows of both.
Source    Leviathan and others, arXiv 2211.17192; Chen and others, arXiv 2302.01318. Tokens that only one
          of the vocabularies has are never drafted.
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
    """Parameters of `Drafting`, and the truncations of `Sample`, off by default."""

    name: ClassVar[str] = "speculative"
    no_grammar: ClassVar[str] = "its law would be that of `sample`, which takes one"

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
