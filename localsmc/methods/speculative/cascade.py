"""Speculative cascades: a deferral rule decides which tokens the draft model may choose.

Target    Π π(y_t|h), with π computed by a rule from both models' next-token distributions, at `temperature`.
          This is not the target model's distribution: it trades quality for speed. Rules, with `lenience`
          towards the draft: chow, diff and opt choose one model for each token; token-v1, token-v2 and
          token-v3 define the set of tokens that the draft may choose; lossy is lossy speculative sampling;
          bild is the rule of Big Little Decoder, with `fallback`.
Proposal  as for `speculative`.
Weight    equal; N independent completions.
Stops     when every completion has ended: end token, stop rule or n_tokens.
Cost      as for `speculative`, and one more decoded token of the draft per round, for its distribution after
          the block. With `sequential` (for chow only, which does not use p) the draft writes until it
          defers; the target then decodes the tokens it has not read yet, and draws one token.
Source    Faster Cascades via Speculative Decoding, arXiv 2405.19261, except that the token after a block is
          drawn from π, not from p. The baseline to compare with is `speculative:min_p=`, since token-v3
          truncates p in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from localsmc.errors import ConfigError
from localsmc.methods.base import Unused, reject_unused, require_between
from localsmc.methods.request import Request
from localsmc.methods.speculative.deferral_rules import RULES, bild, is_unsure
from localsmc.methods.speculative.draft_and_verify import SequentialCascade
from localsmc.methods.speculative.speculative_run import SpeculativeConfig, SpeculativeRun, TargetRule

BILD = "bild"
SEQUENTIAL = "chow"
"""The rule that uses the draft model only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cascade(SpeculativeConfig):
    """Parameters of `SpeculativeConfig`, and `rule` with its `lenience`, −64 to 64.

    `lenience` is in nats for bild, else a probability or a share. `fallback` 0 to 1 is for the rule bild
    only, `sequential` for chow only.
    """

    name: ClassVar[str] = "cascade"
    no_grammar: ClassVar[str] = "its rules compare the models' distributions, which a mask would change"

    rule: str = "token-v3"
    lenience: float = 0.5
    fallback: float = 0.5
    sequential: bool = False

    def __post_init__(self) -> None:
        super(Cascade, self).__post_init__()
        if self.rule not in (*RULES, BILD):
            raise ConfigError(
                f"`rule` is `{self.rule}`, which is not a rule",
                hint=f"choose from: {', '.join((*RULES, BILD))}",
            )
        require_between("lenience", self.lenience, -64.0, 64.0)
        require_between("fallback", self.fallback, 0.0, 1.0)
        if self.sequential and self.rule != SEQUENTIAL:
            raise ConfigError(
                f"`sequential` cannot be used with `rule={self.rule}`, which needs p first",
                hint=f"remove it, or use `rule={SEQUENTIAL}`",
            )
        reject_unused(self)

    @property
    def unused(self) -> list[Unused]:
        """The parameters that have no effect with the others as they are."""
        found = []
        if self.rule != BILD:
            found.append(Unused(("fallback",), f"with `rule={self.rule}`", f"use `rule={BILD}`"))
        if self.sequential:
            names = ("n_max", "adaptive", "p_min")
            found.append(Unused(names, "with `sequential=on`", "set `sequential=off`"))
        return found

    @property
    def knows_logp(self) -> bool:
        """Whether the log-probabilities are known: the target reads every token, unless `sequential`."""
        return not self.sequential

    def start(self, request: Request) -> SpeculativeRun:
        """See `Method.start`."""
        if self.sequential:
            return SequentialRun(self, request)
        return SpeculativeRun(self, request, induced=self.target_rule)

    @property
    def target_rule(self) -> TargetRule:
        """The rule: π from q and p."""
        if self.rule == BILD:
            return partial(bild, lenience=self.lenience, fallback=self.fallback)
        rule, lenience = RULES[self.rule], self.lenience
        return lambda q, p: rule(q, p, lenience)


class SequentialRun(SpeculativeRun):
    """A cascade without speculation: one token per step."""

    takes_back = False

    def __init__(self, method: Cascade, request: Request) -> None:
        writers = partial(SequentialCascade, defers=partial(is_unsure, lenience=method.lenience))
        super().__init__(method, request, induced=None, writers=writers)
