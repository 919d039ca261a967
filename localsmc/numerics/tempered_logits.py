"""Rows of logits at one exponent: their sums, and draws from them, after a single pass over each row.

A large vocabulary is folded: token v lies in column v mod 512, and the pass leaves the mass and the
highest logit of each column. Whatever is asked later looks at columns first and then at the tokens of
a few of them, whose masses are computed anew, in float64; so no row is gone through twice, nothing as
long as the vocabulary is kept, and a draw is one of a column and one of a token within it. Columns'
sums are float32 where the logits are, of as many terms as a column has tokens: right to so many times
2^-24, mostly to 10^-7. An exponent above 1 leaves nearly all mass to a few columns, which a bound tells.
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
"""Logits below which another thread costs more than it saves."""


class TokenCounts(NamedTuple):
    """Tokens (D,) drawn from rows (D,), in order of rows, and how often each was."""

    rows: Ints
    tokens: Ints
    counts: Ints


class TemperedLogits:
    """Rows of logits (R, V), and their masses p^alpha up to a constant; valid as long as the logits are.

    With `has_rest` the last column is no token: it holds the log-sum-exp of logits that are not shown, and
    a shown one may be −inf. They count for probabilities, and have no mass.
    Raises DecodeFailed where a row holds NaN or +inf, or no finite logit at all.
    """

    top: Floats
    """(R,) each row's highest logit."""
    log_norm: Doubles
    """(R,) log-sum-exp of the logits, those not shown included."""
    log_power: Doubles
    """(R,) log Σ_v p(v)^alpha over the tokens shown, at most 0 for alpha ≥ 1; −inf where there is none."""

    @numerics_time
    def __init__(self, logits: Floats, alpha: float, n_threads: int = 1, *, has_rest: bool = False) -> None:
        self._rest = logits[:, -1].astype(np.float64) if has_rest else None
        logits = logits[:, :-1] if has_rest else logits
        self.alpha = alpha
        self._logits, self._index = logits, np.arange(len(logits))
        self._barred: Ints | None = None
        self._n_vocab = int(logits.shape[1])
        self._is_folded = self._n_vocab >= FOLDED_FROM
        if self._is_folded:
            self._fold(logits, n_threads)
        else:
            self._take_whole(logits)

    def __len__(self) -> int:
        return len(self._index)

    # --- the pass ------------------------------------------------------------------------------

    def _take_whole(self, logits: Floats) -> None:
        self.top = self._scale(logits.max(axis=1))
        shifted = logits - self.top[:, None]
        mass = np.exp(shifted)
        plain = mass.sum(axis=1).astype(np.float64)
        if self.alpha != 1.0:
            shifted *= self.alpha
            np.exp(shifted, out=mass)
        self._sum_up(plain, mass)
        self._mass, self._peaks = mass, logits

    def _scale(self, top: Floats) -> Floats:
        """The highest logits (R,), to subtract: 0 where none is shown."""
        if self._rest is not None:
            top = np.where(top == -np.inf, top.dtype.type(0), top)
        require_numbers(top)
        return top

    def _sum_up(self, plain: Doubles, mass: Floats) -> None:
        """From each row's sum (R,) at exponent 1 and its masses."""
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
                if np.isfinite(top):  # else nothing is shown, or it is refused below
                    plain_sum[row] = column_sums(
                        logits[row], top, self._peaks[row], self.alpha, self._mass[row]
                    )

        map_rows(work, n_rows, min(n_threads, logits.size // ELEMENTS_PER_THREAD))
        self.top = self._scale(self.top)
        self._sum_up(plain_sum, self._mass)

    # --- some of it ----------------------------------------------------------------------------

    def take(self, rows: Ints | NDArray[np.bool_]) -> TemperedLogits:
        """Some of the rows."""
        some = self._like()
        some.top, some.log_norm, some.log_power = self.top[rows], self.log_norm[rows], self.log_power[rows]
        some._index, some._mass, some._peaks = self._index[rows], self._mass[rows], self._peaks[rows]
        return some

    def masked(self, rows: Ints, tokens: Ints) -> TemperedLogits:
        """The same masses but for some tokens (D,) of rows (D,), which have none now; sums stay.

        What is left keeps its scale: beside a token that has all but 1e-30 of its row's mass nothing is.
        """
        rest = self._like()
        rest._mass = self._mass.copy()
        before = () if self._barred is None else self._barred
        rest._barred = np.sort(np.concatenate((before, self._keys(rows, tokens)))).astype(np.int64)
        if self._is_folded:
            columns = tokens % COLUMNS
            rest._mass[rows, columns] = rest._inside(rows, columns).sum(axis=1)
        else:
            rest._mass[rows, tokens] = 0.0
        return rest

    def _like(self) -> TemperedLogits:
        # What copy.copy would do, at a fifth of the time.
        other = TemperedLogits.__new__(TemperedLogits)
        other.__dict__.update(self.__dict__)
        return other

    @property
    def totals(self) -> Doubles:
        """(R,) the mass of each row, to a scale that it has in common with what is left of it."""
        return np.asarray(self._mass.sum(axis=1, dtype=np.float64))

    def logp(self, rows: Ints, tokens: Ints) -> Doubles:
        """Log-probabilities at temperature 1 of tokens (D,) of rows (D,)."""
        return np.asarray(self._logits[self._index[rows], tokens].astype(np.float64) - self.log_norm[rows])

    def above(self, bars: Doubles) -> tuple[Ints, Ints]:
        """Rows and tokens of the logits that reach their row's bar (R,), rows in order."""
        bars = bars.astype(self._logits.dtype)
        rows, columns = np.nonzero(self._peaks >= bars[:, None])
        if not self._is_folded:
            return rows, columns
        hit, deep = np.nonzero(self._values(rows, columns) >= bars[rows, None])
        return rows[hit], columns[hit] + COLUMNS * deep

    def argmax(self) -> Ints:
        """(R,) the token of each row's highest logit, one of them where several are as high."""
        rows = np.arange(len(self))
        columns = self._peaks.argmax(axis=1)
        deep = self._values(rows, columns).argmax(axis=1) if self._is_folded else 0
        return np.asarray(columns + COLUMNS * deep)

    # --- draws ---------------------------------------------------------------------------------

    @numerics_time
    def sample(self, draw: CategoricalSampler, counts: Ints, bars: Doubles | None = None) -> TokenCounts:
        """counts (R,) independent tokens of each row by their mass, equal ones together.

        With `bars` (R,) only of those whose logits reach their row's, at least one.
        """
        if bars is not None:
            return self._sample_above(draw, counts, bars)
        columns = draw(self._mass, counts)
        rows = np.repeat(np.arange(len(counts)), counts)
        if not self._is_folded:
            return count_unique(rows, columns, self._n_vocab)
        hit = count_unique(rows, columns, COLUMNS)
        deep = draw(self._inside(hit.rows, hit.tokens), hit.counts)
        within = np.repeat(np.arange(len(hit.rows)), hit.counts)
        tokens = hit.tokens[within] + COLUMNS * deep
        return count_unique(hit.rows[within], tokens, self._n_vocab)

    def _sample_above(self, draw: CategoricalSampler, counts: Ints, bars: Doubles) -> TokenCounts:
        rows, tokens = self.above(bars)
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
        """A number for each token of each row, the same whichever rows are taken."""
        return np.asarray(self._index[rows] * self._n_vocab + tokens)

    def _values(self, rows: Ints, columns: Ints) -> Floats:
        """(D, K) the logits of all tokens in columns (D,) of rows (D,); −inf behind the vocabulary."""
        tokens = self._tokens(columns)
        values: Floats = self._logits[self._index[rows, None], np.minimum(tokens, self._n_vocab - 1)]
        values[tokens >= self._n_vocab] = -np.inf
        return values

    def _tokens(self, columns: Ints) -> Ints:
        """(D, K) all tokens in columns (D,), and some behind the vocabulary."""
        return np.asarray(columns[:, None] + np.arange(0, self._n_vocab, COLUMNS))

    def _inside(self, rows: Ints, columns: Ints) -> Doubles:
        """(D, K) their masses, to the scale of `_mass`."""
        shifted = self._values(rows, columns).astype(np.float64) - self.top[rows, None]
        mass: Doubles = np.exp(self.alpha * shifted)
        if self._barred is not None and len(self._barred):
            keys = self._keys(rows[:, None], self._tokens(columns))
            place = np.minimum(np.searchsorted(self._barred, keys), len(self._barred) - 1)
            mass[self._barred[place] == keys] = 0.0
        return mass


def count_unique(rows: Ints, values: Ints, n_values: int) -> TokenCounts:
    """Equal pairs as one, in order."""
    if len(rows) == 1:
        return TokenCounts(rows, values, np.ones(1, dtype=np.int64))
    keys, counts = np.unique(rows * n_values + values, return_counts=True)
    return TokenCounts(*np.divmod(keys, n_values), counts)


# --- one folded row -------------------------------------------------------------------------------


# --- threads --------------------------------------------------------------------------------------
