"""Whether a model keeps several sequences apart: a run's pattern of decodes against each history alone.

llama.cpp aborts or computes wrong logits for several sequences of some architectures. The trial forks,
decodes one token of each sequence, frees some and takes their ids again, cuts one back, and decodes several
tokens of some. Then each history is decoded alone.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import numpy as np

from localsmc.errors import ContextError, ModelLoadFailed
from localsmc.llama.context import LlamaContext, open_context
from localsmc.llama.load_options import ContextOptions
from localsmc.llama.weights import CORRUPT_HINT, LlamaModel
from localsmc.lm.cache_layout import CacheLayout
from localsmc.numerics.log_math import Floats, Ints

N_SEQUENCES = 4
_SPARE = N_SEQUENCES - 1
_N_PROMPT, _N_BLOCK = 6, 2
_CELLS = 256

_TEXT = "The capital of France is Paris, and the capital of Italy is Rome."

CLOSE = 0.1
"""Logits that differ by less than this share of their spread are those of the same history."""

NOISE = 3.0
"""Logits may differ more, up to this many times what rounding changes in one history's logits."""


def supports(model: LlamaModel, layout: CacheLayout) -> bool:
    """Whether the logits of several sequences are right in a cache of this layout.

    Run it only in a child process: llama.cpp aborts for some models. Raises ModelLoadFailed if even one
    sequence has non-finite logits.
    """
    try:
        with closing(open_context(model, _options(layout))) as context:
            return _is_right(context)
    except ContextError:
        if layout is CacheLayout.SINGLE:
            raise
        return False


def _options(layout: CacheLayout) -> ContextOptions:
    n_seqs = 1 if layout is CacheLayout.SINGLE else N_SEQUENCES
    n_cells = _CELLS if layout.is_unified else _CELLS * n_seqs
    return ContextOptions(n_ctx=n_cells, n_batch=32, n_ubatch=32, n_seq_max=n_seqs, layout=layout)


def _is_right(context: LlamaContext) -> bool:
    prompt, rows, blocks = np.split(_tokens(context.model), [_N_PROMPT, _N_PROMPT + 3])
    if not np.isfinite(_alone(context, 0, prompt)).all():
        raise ModelLoadFailed(f"`{context.model.path}` produces non-finite logits", hint=CORRUPT_HINT)
    if context.n_seq_max == 1:
        return True
    context.copy(0, 1)
    context.copy(1, 2)
    context.decode(rows, np.full(3, _N_PROMPT), np.arange(3))
    # 1 becomes 2, and at once 0 becomes 1: llama.cpp may copy later, but in this order.
    context.remove(2)
    context.copy(1, 2)
    context.remove(1)
    context.copy(0, 1)
    texts = [np.append(prompt, rows[0]), np.append(prompt, rows[1])]
    if context.can_forget:
        context.remove(1, _N_PROMPT)
        texts[0] = prompt
    # Without sequence 0: where the states of some sequences lie among those of others matters as well.
    positions = np.concatenate([np.arange(len(text), len(text) + _N_BLOCK) for text in texts])
    last = np.arange(1, 3) * _N_BLOCK - 1
    found = context.decode(blocks, positions, np.repeat([1, 2], _N_BLOCK), outputs=last).copy()
    return all(
        _is_close(context, np.append(text, block), row)
        for text, block, row in zip(texts, np.split(blocks, 2), found, strict=True)
    )


def _tokens(model: LlamaModel) -> Ints:
    """The first tokens of an ordinary text: on tokens at random, quantized models react to any rounding."""
    found = model.tokenize(_TEXT, special=False, add_bos=True).astype(np.int64)
    return np.resize(found, _N_PROMPT + 3 + 2 * _N_BLOCK)


def _is_close(context: LlamaContext, text: Ints, found: Floats) -> bool:
    expected = _alone(context, _SPARE, text)
    apart = _apart(found, expected)
    if apart < CLOSE:
        return True
    # Coarse weights, or experts that are nearly even, react to any rounding: by how much?
    single = replace(_options(CacheLayout.SINGLE), type_k="f32", type_v="f32")
    with closing(open_context(context.model, single)) as rounded:
        return apart < NOISE * _apart(_alone(rounded, 0, text, n_each=1), expected)


def _alone(context: LlamaContext, seq: int, text: Ints, n_each: int = _CELLS) -> Floats:
    """The logits after a text (V,) in a sequence that is emptied first, `n_each` tokens at a time."""
    context.remove(seq)
    logits = np.zeros((1, context.n_vocab), context.dtype)
    for start in range(0, len(text), n_each):
        part = text[start : start + n_each]
        positions, last = np.arange(start, start + len(part)), np.array([len(part) - 1])
        logits = context.decode(part, positions, np.full(len(part), seq), outputs=last)
    found: Floats = logits[0].copy()
    return found


def _apart(found: Floats, expected: Floats) -> float:
    """Root mean square of the differences, divided by the standard deviation of the logits."""
    if not np.isfinite(found).all():
        return np.inf
    gaps = found.astype(np.float64) - expected
    return float(np.sqrt(np.mean(gaps**2)) / max(float(expected.std()), 1e-6))
