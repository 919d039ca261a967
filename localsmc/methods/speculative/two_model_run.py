"""Runs with two models: the code that the methods with a draft and a target share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from localsmc.errors import ConfigError, ContextFull
from localsmc.lm.kv_slots import KVSlots
from localsmc.methods.finish_state import LIVE
from localsmc.methods.request import Request, WeightedText
from localsmc.methods.run import REASONS, SamplingRun, StepOutcome, merged, require_draft
from localsmc.methods.speculative.draft_and_verify import DraftedText, SpeculativeDecoder
from localsmc.numerics.log_math import Floats
from localsmc.results import HistoryInfo

Root = tuple[int, Floats]
"""The slot that holds the prompt, and the logits (1, V) after it."""


def require_can_forget(request: Request) -> None:
    """Raise ConfigError if one of the models cannot forget tokens."""
    draft = require_draft(request)
    for name, model in (("target", request.model), ("draft", draft.model)):
        if not model.can_forget:
            raise ConfigError(
                f"the {name} is recurrent: it cannot forget rejected tokens",
                hint="use a model with a KV cache, or `--method draft-smc`, which rejects no tokens",
            )


class TwoModelRun(SamplingRun):
    """Independent completions, as many at a time as fit, extended together by `_advance`."""

    drafts: KVSlots
    decoder: SpeculativeDecoder
    """The decoder; set by the subclass in its constructor."""

    def __init__(self, request: Request, n_texts: int) -> None:
        self._draft = require_draft(request)
        super().__init__(request)
        self.drafts = KVSlots(self._draft.model, request.n_tokens)
        slot, logits = self.drafts.prefill(self._draft.prompt, request.check)
        self.roots: tuple[Root, Root] = (self._root, self._root_logits), (slot, logits.copy())
        self._size = self._at_a_time(n_texts)
        self._n_left = n_texts
        self.texts: list[DraftedText] = []
        self._done: list[DraftedText] = []
        self._n_traced: dict[int, int] = {}

    def _at_a_time(self, n_texts: int) -> int:
        request, found = self._request, n_texts
        for model, prompt in ((request.model, request.prompt), (self._draft.model, self._draft.prompt)):
            found = min(found, model.n_seq_max - 1, (model.n_cells - len(prompt)) // request.n_tokens)
        if found < 1:
            raise ContextFull(
                "two models need at least two sequences each, and room for the prompt and one completion",
                hint="raise `--ctx-size` or `--batch-size`, or lower `--predict`",
            )
        return found

    def _begin_wave(self) -> None:
        self._done += self.texts
        n = min(self._size, self._n_left)
        self._n_left -= n
        self.texts = [self.decoder.begin() for _ in range(n)]

    @property
    def live(self) -> list[DraftedText]:
        """The current completions that are not finished."""
        return [text for text in self.texts if text.finish == LIVE]

    def _step(self) -> StepOutcome:
        if not self.live:
            self._begin_wave()
        self._n_traced = {id(text): len(text.nodes) for text in self.texts}
        self._advance(self.live)
        counts = self.decoder.counts
        self.n_drafted, self.n_kept = counts.drafted, counts.kept
        self.n_rewritten, self.n_wasted = counts.rewritten, counts.wasted
        return StepOutcome(self._exponent, self.ess)

    @property
    @abstractmethod
    def _exponent(self) -> float:
        """The exponent at which tokens are drawn."""

    @abstractmethod
    def _advance(self, texts: Sequence[DraftedText]) -> None:
        """Extend each of these completions."""

    def _progress(self) -> tuple[int, int, float | None]:
        n_texts = len(self._done) + len(self.texts)
        return n_texts, n_texts - len(self.live), None

    @property
    def is_done(self) -> bool:
        """See `SamplingRun.is_done`."""
        return not self.live and not self._n_left

    @property
    def ess(self) -> float:
        """The number of completions begun: they are independent."""
        return float(len(self._done) + len(self.texts))

    def endings(self) -> list[WeightedText]:
        """See `SamplingRun.endings`."""
        texts = [*self._done, *self.texts]
        return merged(self._ending(text, 1 / len(texts)) for text in texts)

    def _ending(self, text: DraftedText, weight: float) -> WeightedText:
        return WeightedText(
            tokens=np.array(text.tokens, dtype=np.int32),
            count=1,
            weight=weight,
            logp=None if np.isnan(text.logp) else text.logp,
            finish_reason=REASONS[text.finish],
        )

    def population(self) -> list[HistoryInfo]:
        """All tokens of this step, and the last token of each completion, completion by completion."""
        texts = [*self._done, *self.texts]
        return [
            history
            for text in texts
            for history in self._trace_rows(
                text.nodes, text.tokens, self._n_traced.get(id(text), len(text.nodes)), weight=1 / len(texts),
                logp=None if np.isnan(text.logp) else text.logp, finish=text.finish,
            )
        ]  # fmt: skip
