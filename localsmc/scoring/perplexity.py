"""The perplexity of a long text, read in windows.

Without a stride as `llama-perplexity` does it: the text is cut into chunks of one window, of each of which
the second half is scored, and what remains at the end is left out. With a stride each token is scored once:
windows begin every `stride` tokens, and each scores those tokens that no window before it has scored. The
first token of the text, which nothing predicts, is never scored. Each window begins with the
beginning-of-sequence token, in the place of its first token, if the model was trained with one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from localsmc.engine.settings import Settings
from localsmc.errors import ConfigError
from localsmc.lm.interface import TokenIds
from localsmc.numerics.log_math import Doubles
from localsmc.scoring.rounds import ScoredTokens
from localsmc.scoring.score_context import scored

if TYPE_CHECKING:
    from localsmc.engine.load import Model

WINDOW = 512
"""Tokens of a window by default, as in llama.cpp."""

PIECE = 200_000
"""Characters that are tokenised at once; pieces that are cut at a line give the tokens of the whole."""

_LINE = re.compile(r"\n(?=[^\W\d_])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Perplexity:
    """exp(−mean log p) over the scored tokens, and its standard error as `llama-perplexity` computes it.

    `error` is None for one token. `logp` is the sum over `n_scored` tokens, of `n_tokens` in the text.
    `stride` is None for the chunks of llama.cpp. `n_windows` of `n_all` windows were read: fewer if it was
    stopped.
    """

    perplexity: float
    error: float | None
    logp: float
    n_scored: int
    n_tokens: int
    window: int
    stride: int | None
    n_windows: int
    n_all: int

    def to_json(self) -> dict[str, Any]:
        """The result as a dictionary for `json.dumps`."""
        return asdict(self)


def perplexity(
    model: Model,
    text: str,
    *,
    window: int | None = None,
    stride: int | None = None,
    settings: Settings | None = None,
) -> Perplexity:
    """The perplexity of a text in windows of `window` tokens, by default 512, or fewer for a smaller model.

    Raises ConfigError for a text of fewer than two tokens, or sizes that do not fit.
    """
    *_, last = perplexities(model, text, window=window, stride=stride, settings=settings)
    return last


def perplexities(
    model: Model,
    text: str,
    *,
    window: int | None = None,
    stride: int | None = None,
    settings: Settings | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Perplexity]:
    """As `perplexity`, but the result so far after each window; ends early if `should_stop` says so."""
    settings = Settings() if settings is None else settings
    size = _window(model, window, settings)
    tokens = long_tokens(model, text)
    if len(tokens) < 2:
        raise ConfigError("the text has fewer than two tokens", hint="give a longer text")
    sequences = _windows(model, tokens, size, stride)
    sums = _Sums(len(tokens), size, stride, len(sequences))
    for _, found in scored(model, sequences, settings, should_stop):
        yield sums.add(found.logps)


def _window(model: Model, window: int | None, settings: Settings) -> int:
    trained = model.llama.n_ctx_train
    size = min(WINDOW, trained, settings.n_ctx or trained) if window is None else window
    if not 2 <= size <= trained:
        raise ConfigError(
            f"the window has {size} tokens, but must have 2 to {trained}: the model was trained on no more",
            hint="change `--window`",
        )
    if settings.n_ctx and size > settings.n_ctx:
        raise ConfigError(
            f"the window has {size} tokens, but the context {settings.n_ctx}", hint="lower `--window`"
        )
    return size


def long_tokens(model: Model, text: str) -> TokenIds:
    """The tokens of a text of any length, after the beginning-of-sequence token if the model has one."""
    llama = model.llama
    pieces = [text[start:end] for start, end in _cuts(text)]
    tokens = [llama.tokenize(pieces[0], special=False)]
    tokens += [llama.tokenize_on(piece) for piece in pieces[1:]]
    return llama.with_bos(np.concatenate(tokens))


def _cuts(text: str) -> Iterator[tuple[int, int]]:
    """Where a long text is cut: after a newline before a letter, where no tokenizer joins what it parts."""
    start = 0
    while len(text) - start > PIECE:
        found = _LINE.search(text, start + PIECE)
        if found is None:
            break
        yield start, found.end()
        start = found.end()
    yield start, len(text)


def _windows(model: Model, tokens: TokenIds, size: int, stride: int | None) -> list[ScoredTokens]:
    if stride is None and len(tokens) >= size:
        return list(_chunks(model, tokens, size))
    stride = size if stride is None else stride
    if not 1 <= stride <= size:
        raise ConfigError(
            f"the stride is {stride}, but must be 1 to {size}, the window's tokens", hint="lower `--stride`"
        )
    found, n_scored = [], 1
    for begin in range(0, len(tokens), stride):
        end = min(begin + size, len(tokens))
        if end > max(n_scored, begin + 1):  # nothing predicts a window's only token
            found.append(ScoredTokens(_begun(model, tokens[begin:end]), max(1, n_scored - begin)))
        n_scored = end
        if end == len(tokens):
            break
    return found


def _chunks(model: Model, tokens: TokenIds, size: int) -> Iterator[ScoredTokens]:
    """Chunks of which all but the first half and one token are scored, as in `llama-perplexity`."""
    for begin in range(0, len(tokens) - size + 1, size):
        yield ScoredTokens(_begun(model, tokens[begin : begin + size]), min(size // 2 + 1, size - 1))


def _begun(model: Model, window: TokenIds) -> TokenIds:
    """The window with the beginning-of-sequence token in the place of its first, if the model has one."""
    bos = model.llama.with_bos(window[:0])
    return np.concatenate((bos, window[len(bos) :]))


class _Sums:
    """The sums over the windows so far."""

    def __init__(self, n_tokens: int, window: int, stride: int | None, n_all: int) -> None:
        self._n_tokens, self._window, self._stride, self._n_all = n_tokens, window, stride, n_all
        self._n_windows = self._n_scored = 0
        self._sum = self._squares = 0.0

    def add(self, logps: Doubles) -> Perplexity:
        """Add the log-probabilities of a window; returns the result so far."""
        self._n_windows += 1
        self._n_scored += len(logps)
        self._sum += float(logps.sum())
        self._squares += float((logps**2).sum())
        mean = self._sum / self._n_scored
        value = math.exp(-mean)
        variance = max(0.0, self._squares / self._n_scored - mean**2)
        return Perplexity(
            perplexity=value,
            error=value * math.sqrt(variance / (self._n_scored - 1)) if self._n_scored > 1 else None,
            logp=self._sum,
            n_scored=self._n_scored,
            n_tokens=self._n_tokens,
            window=self._window,
            stride=self._stride,
            n_windows=self._n_windows,
            n_all=self._n_all,
        )
