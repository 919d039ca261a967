"""Speculative cascades: the small model's token is kept where a rule says it may be, else the large one's.

Target    Π π(y_t|h), π by a rule from both models' laws; they are tempered where `temperature` is not 1
          (deferral.py). Not the target's own law: a trade of its quality for speed. Rules, with their
          `lenience` towards the draft: chow, diff and opt choose a model for each token, token-v1, token-v2
          and token-v3 the tokens that the draft may decide on; lossy is lossy speculative sampling, and
          bild the rule of Big Little Decoder, with `fallback`.
Proposal  as for `speculative`.
Weight    equal; N independent texts.
Stops     when every text has ended: end token, stop rule or n_tokens.
Cost      as for `speculative`; and a row of the draft more a round, for the law behind the block. With
          `sequential`, which chow alone can have since it does not look at p, the draft writes until
          it defers, and the target reads what it has not read yet for each token of its own.
Source    Faster Cascades via Speculative Decoding, arXiv 2405.19261; the token behind a block is drawn from
          π, not from p. Its honest baseline is `speculative:min_p=`: token-v3 truncates just so.
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
"""The rule that looks at the small model alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cascade(SpeculativeConfig):
    """Parameters of `Drafting`, `rule` and its `lenience`, −64 to 64: for bild in nats, else a share.

    `fallback` 0 to 1 is bild's alone, `sequential` is for the rule chow.
    """

    name: ClassVar[str] = "cascade"
    no_grammar: ClassVar[str] = (
        "its rules compare the models' own laws, and a mask would change what they compare"
    )

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
                f"`sequential` cannot be with `rule` {self.rule}, which looks at the large model's law first",
                hint=f"leave it out, or use `rule={SEQUENTIAL}`",
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
        """Whether the target reads every token."""
        return not self.sequential

    def start(self, request: Request) -> SpeculativeRun:
        """See `Method.start`."""
        if self.sequential:
            return SequentialRun(self, request)
        return SpeculativeRun(self, request, induced=self.target_rule)

    @property
    def target_rule(self) -> TargetRule:
        """π from q and p."""
        if self.rule == BILD:
            return partial(bild, lenience=self.lenience, fallback=self.fallback)
        rule, lenience = RULES[self.rule], self.lenience
        return lambda q, p: rule(q, p, lenience)


class SequentialRun(SpeculativeRun):
    """The cascade without speculation: a token a step."""

    takes_back = False

    def __init__(self, method: Cascade, request: Request) -> None:
        writers = partial(SequentialCascade, defers=partial(is_unsure, lenience=method.lenience))
        super().__init__(method, request, induced=None, writers=writers)
