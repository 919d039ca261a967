"""A model that writes only what a grammar allows, while probabilities stay its own.

    A       the allowed tree: token sequences all of whose prefixes the grammar allows, up to an end token
            that it allows or to where the text is cut
    rows    (R, V + 1): what the grammar forbids has the logit −inf, and the last column is the log-sum-exp
            of the logits that are not shown; so the row's own log-sum-exp is the model's

`Tempered` draws among allowed tokens and knows their full-vocabulary probabilities: Σ_v p(v)^α over the
allowed is less than over all, and that is what makes weights those of p^α on A and of no other law.
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
"""(V,) the tokens that may come next."""


class TokenConstraint(Protocol):
    """Which tokens may follow a text. States are values: an old one stays as it is."""

    def start(self) -> Any:
        """The state of the empty text."""
        ...

    def advance(self, state: Any, token: int) -> Any:
        """The state after one token more, which must be allowed and no end token."""
        ...

    def allowed(self, states: Sequence[Any], n_threads: int) -> list[Allowed]:
        """The tokens that may follow each state, the end tokens among them where the text may end."""
        ...


class ConstrainedLM(LMWrapper):
    """Hands everything on to the model, and its logits back as above; the prompt is not restricted."""

    def __init__(self, model: LanguageModel, grammar: TokenConstraint, n_prompt: int) -> None:
        super().__init__(model)
        self._grammar = grammar
        self._first = n_prompt - 1
        """The position whose row is the first of the text."""
        self._states: list[list[Any]] = [[] for _ in range(model.n_seq_max)]
        """Of each sequence, the states from the prompt's end on."""

    def decode(self, tokens: Ints, positions: Ints, seqs: Ints, *, outputs: Ints | None = None) -> Floats:
        """See `LanguageModel.decode`; (R, V + 1), and the rows are the caller's own."""
        rows = list(zip(tokens.tolist(), positions.tolist(), seqs.tolist(), strict=True))
        logits = self._model.decode(tokens, positions, seqs, outputs=outputs)
        states = [self._append(*row) for row in rows]
        wanted = range(len(rows)) if outputs is None else outputs.tolist()
        return self._shown(logits, [states[i] for i in wanted])

    def _append(self, token: int, position: int, seq: int) -> Any:
        """The state behind a token; None within the prompt."""
        if position < self._first:
            return None
        held = self._states[seq]
        held.append(self._grammar.advance(held[-1], token) if held else self._grammar.start())
        return held[-1]

    def _shown(self, logits: Floats, states: Sequence[Any]) -> Floats:
        n_threads = self._model.n_threads
        known = {id(state): state for state in states if state is not None}
        allowed = dict(zip(known, self._grammar.allowed(list(known.values()), n_threads), strict=True))
        shown = np.empty((len(logits), self._model.n_vocab + 1), logits.dtype)

        def work(rows: Iterator[int]) -> None:
            for row in rows:
                _show(logits[row], allowed.get(id(states[row])), shown[row])

        map_rows(work, len(logits), n_threads)
        require_numbers(shown.max(axis=1))
        return shown

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


def _show(logits: Floats, allowed: Allowed | None, out: Floats) -> None:
    """Write a row (V + 1,): the allowed logits, and what the others come to."""
    out[:-1], out[-1] = logits, -np.inf
    if allowed is None:
        return
    is_hidden = ~allowed[: len(logits)]  # the model may be narrowed
    hidden = logits[is_hidden]
    out[:-1][is_hidden] = -np.inf
    top = hidden.max(initial=-np.inf)
    out[-1] = top + np.log(np.exp(hidden - top).sum(dtype=np.float64)) if np.isfinite(top) else top


def no_token_allowed(shown: Floats) -> NDArray[np.bool_]:
    """(R,) whether no token may follow, of such rows."""
    return np.asarray(shown[:, :-1].max(axis=1) == -np.inf)
