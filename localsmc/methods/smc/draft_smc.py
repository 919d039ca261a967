"""Power-SMC on blocks that a draft proposes: two models, no token is refused.

Target    π(y|x) ∝ p(y|x)^α, as for `power-smc`; where the vocabularies differ, p is the target's law given
          that it uses tokens of both only.
Proposal  in turn, one token from the target, p(v|h)^α_t, and up to `n_max` from the draft, q(v|h)^β_t
          normalised, β_t = 1 + `sharpening`·(α_t − 1); α_t rises linearly from 1 to α over `ramp` tokens.
          With `p_min` a block ends where the draft gives no token that probability on one of the histories.
Weight    of a block's history h: (α_t − α_s)·log p(h), and α_t·Σ log p(y) − Σ log q(y) over the draft's
          tokens y; log Σ_v p(v|h)^α_t for the target's. Heavy where the draft gives little to what the
          target likes: E[Ẑ] = Z for any draft that gives every token some chance, but Ẑ varies with it.
Resample  once a block, before the target's token is drawn, when the effective sample size falls below
          `ess_threshold`·N. `fearnhead-clifford` draws no token from the target: it weighs every child of
          every history and thins them as `power-smc` does. E[Ẑ] = Z for every scheme, ramp, threshold and N.
Grammar   as for `power-smc`; the draft keeps to it, too.
Stops     when every particle has ended: end token, stop rule or n_tokens.
Cost      a row of the draft a distinct history and token; rows of the target for each distinct leaf of a
          block, all of a block in one batch. Nothing is taken back, so recurrent models do.
Source    SMC-SD, arXiv 2604.15672, with an exponent and a token of the target's own a block.
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
    """N particles; exponent 1 to 64, reached after `ramp` tokens; `n_max` 1 to 64 drafted tokens a block.

    `p_min` 0 (whole blocks) to 1 ends a block where the draft is less sure of its likeliest token.
    `sharpening` 0 (the draft at temperature 1) to 1 (at the target's exponent). Threshold 0 (never) to 1.
    """

    name: ClassVar[str] = "draft-smc"
    select: ClassVar[str] = "draw"
    pair: ClassVar[str] = TOKENS

    particles: int = 16
    alpha: float = 2.0
    ramp: int = 100
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
        """None for one particle, which has nothing beside it."""
        return self.alpha if self.particles > 1 else None

    @property
    def room(self) -> KVDemand:
        """Histories share their beginnings: half as many cells as separate texts take are rarely used up."""
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
    """A run: blocks until every particle has ended."""

    drafts: KVSlots

    def __init__(self, method: DraftSMC, request: Request) -> None:
        self._method = method
        self._first_new = 1
        """The first node that a step has added to the histories."""
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
        """The target's token of a block, its weight, and resampling where it is due."""
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
        """Written by the draft, read by the target; a step of the run for each batch."""
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
        """Tokens that the draft wrote, one a distinct history."""
        return len(self._drafter.written)

    @property
    def reductions(self) -> int:  # type: ignore[override]
        """How often histories were reduced to fit one of the memories."""
        return self.particles.reductions + self._drafter.reductions

    @property
    def n_kept(self) -> int:  # type: ignore[override]
        """Those of them that are in the texts now."""
        return len(self._nodes() & self._drafter.written)

    @property
    def n_rewritten(self) -> int:  # type: ignore[override]
        """Tokens of the texts that the target has drawn."""
        return len(self._nodes() - self._drafter.written)

    @property
    def n_wasted(self) -> int:  # type: ignore[override]
        """Rows of the target that are in no text now."""
        # The last token of a finished text is never read.
        return max(0, self.sequences.rows - len(self._nodes(up_to=-1)))

    def _nodes(self, up_to: int | None = None) -> set[int]:
        """Every token of every history, up to its last one or the one before."""
        tree, found = self.particles.genealogy, set[int]()
        for node in self.particles.histories.node.tolist():
            found.update(tree.path(node)[:up_to].tolist())
        return found

    def population(self) -> list[HistoryInfo]:
        """See `Run.population`; before the last token of a block's history come those that lead to it."""
        told, known = list[HistoryInfo](), set[int]()
        for last in super().population():
            path, node = list[int](), last.parent
            while node >= self._first_new and node not in known:
                path.append(node)
                node = int(self.particles.genealogy.parents(np.array([node]))[0])
            known.update(path)
            told += [*(self._on_the_way(node, last) for node in reversed(path)), last]
        return told

    def _on_the_way(self, node: int, last: HistoryInfo) -> HistoryInfo:
        tree, here = self.particles.genealogy, np.array([node])
        return self._history(
            0, node, int(tree.parents(here)[0]), int(tree.last_tokens(here)[0]), count=last.count,
            weight=last.weight, logp=None, finish=LIVE,
        )  # fmt: skip
