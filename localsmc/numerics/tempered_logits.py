"""Rows of logits at one exponent: their sums, and samples from them, after a single pass over each row.

A large vocabulary is folded: token v is in column v mod 512, and the pass computes the mass and the highest
logit of each column. Later questions look at columns first, then at the tokens of a few columns, whose
masses are recomputed in float64. So no row is read twice as a whole, no array as long as the vocabulary is
kept, and a draw is a draw of a column and one of a token within it. Column sums are float32 if the logits
are. A column's sum has V/512 terms: its relative error is at most about V/512 · 2^-24, mostly about 10^-7.
With an exponent above 1 a few columns have nearly all of the mass; a bound finds them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from localsmc.numerics.categorical import CategoricalSampler
from localsmc.numerics.folded_rows import COLUMNS, FOLDED_FROM, column_peaks, column_sums
from localsmc.numerics.log_math import Doubles, Floats, Ints, require_numbers
from localsmc.numerics.threads import map_rows
from localsmc.numerics.timing import numerics_time

ELEMENTS_PER_THREAD = 1 << 16
"""Minimum number of logits per thread; with fewer, a thread costs more than it saves."""


class TokenCounts(NamedTuple):
    """Distinct tokens (D,) drawn from rows (D,), in order of rows, and how often each was drawn."""

    rows: Ints
    tokens: Ints
    counts: Ints


class TemperedLogits:
    """Rows of logits (R, V) with their masses p^alpha up to a constant; valid as long as the logits are.

    With `has_rest` (constrained decoding) the logits are (R, V + 1): the last column is the log-sum-exp of
    the logits of forbidden tokens, which themselves are −inf. Forbidden tokens count in the normalisation of
    p, and have no mass. Raises DecodeFailed if a row holds NaN or +inf, or no finite logit (unless
    `has_rest`: then a row may allow no token).
    """

    top: Floats
    """(R,) each row's highest logit."""
    log_norm: Doubles
    """(R,) log-sum-exp of the logits, including those of forbidden tokens."""
    log_power: Doubles
    """(R,) log Σ_v p(v)^alpha over the allowed tokens, at most 0 for alpha ≥ 1; −inf if there are none."""

    @numerics_time
    def __init__(self, logits: Floats, alpha: float, n_threads: int = 1, *, has_rest: bool = False) -> None:
        self._rest = logits[:, -1].astype(np.float64) if has_rest else None
        logits = logits[:, :-1] if has_rest else logits
        self.alpha = alpha
        self._logits, self._index = logits, np.arange(len(logits))
        self._masked: Ints | None = None
        self._n_vocab = int(logits.shape[1])
        self._is_folded = self._n_vocab >= FOLDED_FROM
        if self._is_folded:
            self._fold(logits, n_threads)
        else:
            self._sum_whole(logits)

    def __len__(self) -> int:
        return len(self._index)

    # --- the pass over the rows ----------------------------------------------------------------

    def _sum_whole(self, logits: Floats) -> None:
        self.top = self._scale(logits.max(axis=1))
        shifted = logits - self.top[:, None]
        mass = np.exp(shifted)
        plain = mass.sum(axis=1).astype(np.float64)
        if self.alpha != 1.0:
            shifted *= self.alpha
            np.exp(shifted, out=mass)
        self._set_sums(plain, mass)
        self._mass, self._peaks = mass, logits

    def _scale(self, top: Floats) -> Floats:
        """The highest logits (R,), to be subtracted; 0 for rows without an allowed token."""
        if self._rest is not None:
            top = np.where(top == -np.inf, top.dtype.type(0), top)
        require_numbers(top)
        return top

    def _set_sums(self, plain: Doubles, mass: Floats) -> None:
        """Set `log_norm` and `log_power` from each row's sum (R,) at exponent 1 and its masses."""
        with np.errstate(divide="ignore"):
            log_sum = np.log(plain)
            self.log_norm = log_sum + self.top
            self.log_power = np.zeros(len(plain))
            if self._rest is not None:
                self.log_norm = np.logaddexp(self.log_norm, self._rest)
                log_sum = self.log_norm - self.top
            if self.alpha != 1.0 or self._rest is not None:
                self.log_power = np.log(mass.sum(axis=1).astype(np.float64)) - self.alpha * log_sum

    def _fold(self, logits: Floats, n_threads: int) -> None:
        n_rows = len(logits)
        self.top = np.empty(n_rows, logits.dtype)
        self._peaks = np.empty((n_rows, COLUMNS), logits.dtype)
        self._mass = np.empty((n_rows, COLUMNS))
        plain_sum = np.empty(n_rows)

        def work(rows: Iterator[int]) -> None:
            for row in rows:
                top = self.top[row] = column_peaks(logits[row], self._peaks[row])
                plain_sum[row] = self._mass[row] = 0.0
                if np.isfinite(top):  # else no token is allowed, or `_scale` raises
                    plain_sum[row] = column_sums(
                        logits[row], top, self._peaks[row], self.alpha, self._mass[row]
                    )

        map_rows(work, n_rows, min(n_threads, logits.size // ELEMENTS_PER_THREAD))
        self.top = self._scale(self.top)
        self._set_sums(plain_sum, self._mass)

    # --- parts ---------------------------------------------------------------------------------

    def take(self, rows: Ints | NDArray[np.bool_]) -> TemperedLogits:
        """These rows only."""
        some = self._like()
        some.top, some.log_norm, some.log_power = self.top[rows], self.log_norm[rows], self.log_power[rows]
        some._index, some._mass, some._peaks = self._index[rows], self._mass[rows], self._peaks[rows]
        return some

    def masked(self, rows: Ints, tokens: Ints) -> TemperedLogits:
        """The same masses, except that some tokens (D,) of rows (D,) get mass 0; `log_power` does not change.

        The remaining masses keep their scale, so they may underflow to 0 if a masked token had nearly all
        (all but about 1e-30) of its row's mass.
        """
        rest = self._like()
        rest._mass = self._mass.copy()
        before = () if self._masked is None else self._masked
        rest._masked = np.sort(np.concatenate((before, self._keys(rows, tokens)))).astype(np.int64)
        if self._is_folded:
            columns = tokens % COLUMNS
            rest._mass[rows, columns] = rest._inside(rows, columns).sum(axis=1)
        else:
            rest._mass[rows, tokens] = 0.0
        return rest

    def _like(self) -> TemperedLogits:
        # As copy.copy, in a fifth of its time.
        other = TemperedLogits.__new__(TemperedLogits)
        other.__dict__.update(self.__dict__)
        return other

    @property
    def totals(self) -> Doubles:
        """(R,) the total mass of each row, on the same scale as after `masked`."""
        return np.asarray(self._mass.sum(axis=1, dtype=np.float64))

    def logp(self, rows: Ints, tokens: Ints) -> Doubles:
        """(D,) log-probabilities at temperature 1 of tokens (D,) in rows (D,)."""
        return np.asarray(self._logits[self._index[rows], tokens].astype(np.float64) - self.log_norm[rows])

    def above(self, thresholds: Doubles) -> tuple[Ints, Ints]:
        """Rows and tokens of the logits that are at least their row's threshold (R,), in order of rows."""
        thresholds = thresholds.astype(self._logits.dtype)
        rows, columns = np.nonzero(self._peaks >= thresholds[:, None])
        if not self._is_folded:
            return rows, columns
        hit, deep = np.nonzero(self._values(rows, columns) >= thresholds[rows, None])
        return rows[hit], columns[hit] + COLUMNS * deep

    def argmax(self) -> Ints:
        """(R,) the token with the highest logit of each row; one of them if several are equal."""
        rows = np.arange(len(self))
        columns = self._peaks.argmax(axis=1)
        deep = self._values(rows, columns).argmax(axis=1) if self._is_folded else 0
        return np.asarray(columns + COLUMNS * deep)

    # --- sampling ------------------------------------------------------------------------------

    @numerics_time
    def sample(
        self, draw: CategoricalSampler, counts: Ints, thresholds: Doubles | None = None
    ) -> TokenCounts:
        """Draw counts (R,) independent tokens of each row by their mass; equal ones are counted together.

        With `thresholds` (R,) only tokens whose logits are at least their row's; at least one must be.
        """
        if thresholds is not None:
            return self._sample_above(draw, counts, thresholds)
        columns = draw(self._mass, counts)
        rows = np.repeat(np.arange(len(counts)), counts)
        if not self._is_folded:
            return count_unique(rows, columns, self._n_vocab)
        hit = count_unique(rows, columns, COLUMNS)
        deep = draw(self._inside(hit.rows, hit.tokens), hit.counts)
        within = np.repeat(np.arange(len(hit.rows)), hit.counts)
        tokens = hit.tokens[within] + COLUMNS * deep
        return count_unique(hit.rows[within], tokens, self._n_vocab)

    def _sample_above(self, draw: CategoricalSampler, counts: Ints, thresholds: Doubles) -> TokenCounts:
        rows, tokens = self.above(thresholds)
        sizes = np.bincount(rows, minlength=len(self))
        places = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        shape = len(self), int(sizes.max())
        mass, token_at = np.zeros(shape), np.zeros(shape, dtype=np.int64)
        mass[rows, places] = np.exp(self.alpha * (self._logits[self._index[rows], tokens] - self.top[rows]))
        token_at[rows, places] = tokens
        drawn = draw(mass, counts)
        rows = np.repeat(np.arange(len(self)), counts)
        return count_unique(rows, token_at[rows, drawn], self._n_vocab)

    def _keys(self, rows: Ints, tokens: Ints) -> Ints:
        """(D,) a unique number per row and token, which `take` does not change."""
        return np.asarray(self._index[rows] * self._n_vocab + tokens)

    def _values(self, rows: Ints, columns: Ints) -> Floats:
        """(D, K) the logits of all tokens in columns (D,) of rows (D,); −inf beyond the vocabulary."""
        tokens = self._tokens(columns)
        values: Floats = self._logits[self._index[rows, None], np.minimum(tokens, self._n_vocab - 1)]
        values[tokens >= self._n_vocab] = -np.inf
        return values

    def _tokens(self, columns: Ints) -> Ints:
        """(D, K) the ids of all tokens in columns (D,); some are beyond the vocabulary."""
        return np.asarray(columns[:, None] + np.arange(0, self._n_vocab, COLUMNS))

    def _inside(self, rows: Ints, columns: Ints) -> Doubles:
        """(D, K) the masses of all tokens in columns (D,) of rows (D,), on the scale of `_mass`."""
        shifted = self._values(rows, columns).astype(np.float64) - self.top[rows, None]
        mass: Doubles = np.exp(self.alpha * shifted)
        if self._masked is not None and len(self._masked):
            keys = self._keys(rows[:, None], self._tokens(columns))
            place = np.minimum(np.searchsorted(self._masked, keys), len(self._masked) - 1)
            mass[self._masked[place] == keys] = 0.0
        return mass


def count_unique(rows: Ints, values: Ints, n_values: int) -> TokenCounts:
    """Count equal (row, value) pairs; the distinct pairs are in ascending order."""
    if len(rows) == 1:
        return TokenCounts(rows, values, np.ones(1, dtype=np.int64))
    keys, counts = np.unique(rows * n_values + values, return_counts=True)
    return TokenCounts(*np.divmod(keys, n_values), counts)
