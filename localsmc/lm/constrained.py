"""Constrained decoding: a model restricted to a grammar, with the probabilities of the full vocabulary.

    A       the allowed tree: token sequences all of whose prefixes the grammar allows, up to an allowed end
            token or the token limit
    rows    (R, V + 1): tokens that the grammar forbids have the logit −inf, and the last column is the
            log-sum-exp of the forbidden tokens' logits; so the log-sum-exp of a row is the model's

`TemperedLogits` samples among the allowed tokens and computes their full-vocabulary probabilities. The sum
Σ_v p(v)^α is over the allowed tokens only, and so is at most the sum over all tokens. With these sums the
weights are those of p^α restricted to A.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from localsmc.lm.interface import LanguageModel, LMWrapper
from localsmc.numerics.log_math import Floats, Ints, require_numbers
from localsmc.numerics.threads import map_rows

Allowed = NDArray[np.bool_]
"""(V,) True for the tokens that may come next."""


class TokenConstraint(Protocol):
    """Which tokens may follow a completion. States are immutable: `advance` does not change an old one."""

    def start(self) -> Any:
        """The state of the empty completion."""
        ...

    def advance(self, state: Any, token: int) -> Any:
        """The state after one more token, which must be allowed and must not be an end token."""
        ...

    def allowed(self, states: Sequence[Any], n_threads: int) -> list[Allowed]:
        """The tokens that may follow each state, including end tokens where the completion may end."""
        ...


class ConstrainedLM(LMWrapper):
    """A model whose logits are constrained as described above; the prompt is not constrained."""

    def __init__(self, model: LanguageModel, grammar: TokenConstraint, n_prompt: int) -> None:
        super().__init__(model)
        self._grammar = grammar
        self._first = n_prompt - 1
        """The position of the prompt's last token, whose logits give the first token of the completion."""
        self._states: list[list[Any]] = [[] for _ in range(model.n_seq_max)]
        """For each sequence, the states from the end of the prompt on."""

    def decode(self, tokens: Ints, positions: Ints, seqs: Ints, *, outputs: Ints | None = None) -> Floats:
        """See `LanguageModel.decode`; returns (R, V + 1), a new array that later calls do not change."""
        rows = list(zip(tokens.tolist(), positions.tolist(), seqs.tolist(), strict=True))
        logits = self._model.decode(tokens, positions, seqs, outputs=outputs)
        states = [self._append(*row) for row in rows]
        output_rows = range(len(rows)) if outputs is None else outputs.tolist()
        return self._mask(logits, [states[i] for i in output_rows])

    def _append(self, token: int, position: int, seq: int) -> Any:
        """The state after a token; None within the prompt."""
        if position < self._first:
            return None
        held = self._states[seq]
        held.append(self._grammar.advance(held[-1], token) if held else self._grammar.start())
        return held[-1]

    def _mask(self, logits: Floats, states: Sequence[Any]) -> Floats:
        n_threads = self._model.n_threads
        known = {id(state): state for state in states if state is not None}
        allowed = dict(zip(known, self._grammar.allowed(list(known.values()), n_threads), strict=True))
        masked = np.empty((len(logits), self._model.n_vocab + 1), logits.dtype)

        def work(rows: Iterator[int]) -> None:
            for row in rows:
                _mask_row(logits[row], allowed.get(id(states[row])), masked[row])

        map_rows(work, len(logits), n_threads)
        require_numbers(masked.max(axis=1))
        return masked

    def copy(self, source: int, target: int) -> None:
        """See `LanguageModel.copy`."""
        self._model.copy(source, target)
        self._states[target] = self._states[source].copy()

    def remove(self, seq: int, start: int = 0) -> None:
        """See `LanguageModel.remove`."""
        self._model.remove(seq, start)
        del self._states[seq][max(0, start - self._first) :]

    def clear(self) -> None:
        """See `LanguageModel.clear`."""
        self._model.clear()
        for held in self._states:
            held.clear()


def _mask_row(logits: Floats, allowed: Allowed | None, out: Floats) -> None:
    """Write a row (V + 1,): the allowed logits, and the log-sum-exp of the others."""
    out[:-1], out[-1] = logits, -np.inf
    if allowed is None:
        return
    is_forbidden = ~allowed[: len(logits)]  # the model may be a `vocab_subset`
    forbidden = logits[is_forbidden]
    out[:-1][is_forbidden] = -np.inf
    top = forbidden.max(initial=-np.inf)
    out[-1] = top + np.log(np.exp(forbidden - top).sum(dtype=np.float64)) if np.isfinite(top) else top


def no_token_allowed(rows: Floats) -> NDArray[np.bool_]:
    """(R,) True where no token may follow, for rows (R, V + 1) of constrained logits."""
    return np.asarray(rows[:, :-1].max(axis=1) == -np.inf)
