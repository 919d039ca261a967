"""Power-SMC on blocks that a draft model proposes; no token is rejected.

Target    π(y|x) ∝ p(y|x)^α, as for `power-smc`; if the vocabularies differ, p(v|h) is renormalised over the
          tokens of both.
Proposal  alternately one token from the target, at position t, ∝ p(v|h)^α_t, and a block of up to `n_max`
          tokens from the draft, ∝ q(v|h)^β. α_t rises linearly from 1 to α over `ramp` tokens. β is the
          same for all tokens of a block: 1 + `sharpening`·(α_e − 1), with e the last position that the block
          may reach. With `p_min` a block ends for all histories as soon as on one of them the draft gives no
          token that probability.
Weight    Δ log w = (α_t − α_r)·log p(h) + log Σ_v p(v|h)^α_t for the target's token after the history h,
          and (α_s − α_t)·log p(h) + α_s·Σ log p(y) − Σ log q_β(y) for the tokens y of the block after the
          history h (which now includes the target's token). q_β is the draft's normalised proposal, s the
          last position of the block, r that of the block before (α_r = 1 at first): one exponent, α_s, for
          the whole block. A finished history gets the first terms only, and (α − α_s)·log p at the end.
          E[Ẑ] = Z for any draft that gives every token a positive probability; Ẑ varies much if the draft
          gives little probability to what the target prefers.
Resample  once per block, before the target's token is drawn, when the effective sample size is below
          `ess_threshold`·N. `fearnhead-clifford` draws no token from the target: it weighs all children of
          all histories and thins them, as in `power-smc`. E[Ẑ] = Z for every scheme, ramp, threshold and N.
Grammar   as for `power-smc`; the draft is constrained, too.
Stops     when every particle has ended: end token, stop rule or n_tokens.
Cost      one decoded token of the draft per distinct history and token; the target decodes the tokens of
          each distinct history of a block, all in one batch. No token is taken back, so recurrent models
          work.
Source    SMC-SD, arXiv 2604.15672, extended by an exponent and one token from the target per block.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from localsmc.lm.kv_slots import KVSlots
from localsmc.lm.vocab_subset import vocab_subset
from localsmc.methods.base import TOKENS, Unused, reject_unused, require_between
from localsmc.methods.finish_state import LIVE
from localsmc.methods.request import DraftModel, KVDemand, Request
from localsmc.methods.run import StepOutcome, require_draft
from localsmc.methods.smc.draft_proposal import DraftProposal
from localsmc.methods.smc.particle_run import ParticleRun
from localsmc.methods.smc.particles import Particles, Proposal
from localsmc.methods.smc.schedule import FEARNHEAD_CLIFFORD, alpha_at, require_scheme, unused_with_scheme
from localsmc.numerics.resampling import SCHEMES
from localsmc.results import HistoryInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftSMC:
    """N particles; exponent 1 to 64, reached after `ramp` tokens; up to `n_max` (1 to 64) tokens per block.

    `p_min` 0 (whole blocks) to 1: the block ends if the draft's most probable token has less probability.
    `sharpening` 0 (draft at temperature 1) to 1 (draft at the target's exponent). `ess_threshold` 0 (never
    resample) to 1.
    """

    name: ClassVar[str] = "draft-smc"
    select: ClassVar[str] = "draw"
    pair: ClassVar[str] = TOKENS

    particles: int = 16
    alpha: float = 2.0
    ramp: int = 50
    n_max: int = 8
    p_min: float = 0.98
    sharpening: float = 1.0
    ess_threshold: float = 0.5
    resampling: str = FEARNHEAD_CLIFFORD
    share: bool = True

    def __post_init__(self) -> None:
        require_between("particles", self.particles, 1, 1_000_000)
        require_between("alpha", self.alpha, 1.0, 64.0)
        require_between("ramp", self.ramp, 0, 1_000_000)
        require_between("n_max", self.n_max, 1, 64)
        require_between("p_min", self.p_min, 0.0, 1.0)
        require_between("sharpening", self.sharpening, 0.0, 1.0)
        require_between("ess_threshold", self.ess_threshold, 0.0, 1.0)
        require_scheme(self.resampling)
        reject_unused(self)

    @property
    def unused(self) -> list[Unused]:
        """The parameters that have no effect with the others as they are."""
        return unused_with_scheme(self.resampling, ("ess_threshold", "share"))

    @property
    def weight_exponent(self) -> float | None:
        """α; None for one particle, whose weight says nothing."""
        return self.alpha if self.particles > 1 else None

    @property
    def kv_demand(self) -> KVDemand:
        """Histories share prefixes: half of the cells that separate completions need is rarely exceeded."""
        return KVDemand(self.particles, max(min(self.particles, 4), math.ceil(self.particles / 2)))

    def start(self, request: Request) -> DraftSMCRun:
        """See `Method.start`."""
        draft = require_draft(request)
        n_shared = min(request.model.n_vocab, draft.model.n_vocab)
        return DraftSMCRun(
            self,
            replace(
                request,
                model=vocab_subset(request.model, n_shared),
                draft=replace(draft, model=vocab_subset(draft.model, n_shared)),
            ),
        )

    def exponent(self, step: int) -> float:
        """α_t for the token at 0-based position t."""
        return alpha_at(self.alpha, self.ramp, step)


class DraftSMCRun(ParticleRun):
    """A run of Draft-SMC: blocks until every particle has ended."""

    drafts: KVSlots

    def __init__(self, method: DraftSMC, request: Request) -> None:
        self._method = method
        self._first_new = 1
        """The first node that the current step has added."""
        super().__init__(request, [method.particles], self._program, share=method.share, has_evidence=True)
        draft: DraftModel = require_draft(request)
        self.drafts = KVSlots(draft.model, request.n_tokens, request.grammar)
        slot, logits = self.drafts.prefill(draft.prompt, request.check)
        self._drafter = DraftProposal(self.particles, self.drafts, slot, logits)
        self._finish_prefill()

    def _program(self, particles: Particles) -> Iterator[StepOutcome]:
        method = self._method
        while particles.n_live:
            particles.set_exponent(method.exponent(particles.length))
            self._first_new = len(particles.genealogy)
            move = self._own_token(particles)
            if not particles.n_live:
                particles.set_exponent(method.alpha)
                self._drafter.close()
                yield move
                return
            yield from self._block(particles, move)

    def _own_token(self, particles: Particles) -> StepOutcome:
        """The target's token before a block: its weight, resampling if due, and the draw."""
        method = self._method
        if method.resampling == FEARNHEAD_CLIFFORD:
            particles.resample_children(method.particles)
            return StepOutcome(particles.alpha, particles.ess)
        particles.add_token_weight()
        move = StepOutcome(particles.alpha, particles.ess)
        if move.ess < method.ess_threshold * method.particles:
            particles.resample(SCHEMES[method.resampling])
            move = move._replace(resampled=True)
        if particles.n_live:
            particles.propose(Proposal(particles.alpha))
        return move

    def _block(self, particles: Particles, move: StepOutcome) -> Iterator[StepOutcome]:
        """Draft a block and decode it with the target; one step of the run per batch."""
        method = self._method
        last = min(particles.length + method.n_max, particles.n_tokens) - 1
        beta = 1.0 + method.sharpening * (method.exponent(last) - 1.0)
        for _ in self._drafter.propose(method.n_max, beta, method.p_min):
            yield move._replace(has_more=True)
            move = move._replace(resampled=False)
            self._first_new = max(self._first_new, int(particles.histories.node.max()) + 1)
        self._drafter.verify(method.exponent(self._drafter.length - 1))
        if not particles.n_live:
            particles.set_exponent(method.alpha)
            self._drafter.close()
        yield move

    @property
    def n_drafted(self) -> int:  # type: ignore[override]
        """Tokens that the draft has drawn, counted once per distinct history."""
        return len(self._drafter.written)

    @property
    def reductions(self) -> int:  # type: ignore[override]
        """How often histories were thinned to fit the KV cache of either model."""
        return self.particles.reductions + self._drafter.reductions

    @property
    def n_kept(self) -> int:  # type: ignore[override]
        """Tokens from the draft in the current histories."""
        return len(self._nodes() & self._drafter.written)

    @property
    def n_rewritten(self) -> int:  # type: ignore[override]
        """Tokens from the target in the current histories."""
        return len(self._nodes() - self._drafter.written)

    @property
    def n_wasted(self) -> int:  # type: ignore[override]
        """Tokens that the target has decoded and that are in no current history."""
        # The last token of a history is not decoded yet.
        return max(0, self.sequences.rows - len(self._nodes(up_to=-1)))

    def _nodes(self, up_to: int | None = None) -> set[int]:
        """The nodes of all tokens of all histories, up to index `up_to` of each."""
        tree, found = self.particles.genealogy, set[int]()
        for node in self.particles.histories.node.tolist():
            found.update(tree.path(node)[:up_to].tolist())
        return found

    def population(self) -> list[HistoryInfo]:
        """See `SamplingRun.population`; the new tokens before a history's last one are included, in order."""
        found, known = list[HistoryInfo](), set[int]()
        for last in super().population():
            path, node = list[int](), last.parent
            while node >= self._first_new and node not in known:
                path.append(node)
                node = int(self.particles.genealogy.parents(np.array([node]))[0])
            known.update(path)
            found += [*(self._inner_token(node, last) for node in reversed(path)), last]
        return found

    def _inner_token(self, node: int, last: HistoryInfo) -> HistoryInfo:
        tree, here = self.particles.genealogy, np.array([node])
        return self._history(
            0, node, int(tree.parents(here)[0]), int(tree.last_tokens(here)[0]), count=last.count,
            weight=last.weight, logp=None, finish=LIVE,
        )  # fmt: skip
