"""llama.cpp's grammar engine as a `TokenConstraint`: which tokens a GBNF grammar allows.

A state is a completion so far, stored as a chain of tokens; equal chains share one object while it is in
use. llama.cpp's sampler for a state is created when its mask is needed, from the nearest cached prefix.
The mask is computed along the prefixes of the vocabulary: a token is tested only if its longest prefix
that is also a token is allowed. A strict grammar leaves a few hundred of 150,000 tokens to test; a loose
one needs a test of all tokens, on as many threads as there are states.

llama.cpp aborts on a token that the grammar does not allow, so each token is tested first.
"""

from __future__ import annotations

import ctypes
import weakref
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from localsmc.errors import ConfigError, SequenceError
from localsmc.llama import gbnf
from localsmc.llama.binding import C, errors, json_schema_to_gbnf, last_errors
from localsmc.llama.weights import LlamaModel
from localsmc.lm.constrained import Allowed
from localsmc.numerics.log_math import Ints
from localsmc.numerics.threads import map_rows

__all__ = ["LlamaGrammar", "json_schema_to_gbnf"]

REMEMBERED = 1024
"""Maximum number of states with a cached sampler and mask; those of other states are recreated."""

REMEMBERED_BYTES = 2**30
"""Memory limit of the cached samplers: each contains the whole grammar, so fewer fit for a large one."""

SMALL = 4096
"""Vocabularies up to this size are tested in one call: one call per level would cost more."""

MOST_LEVELS = 5
"""Maximum number of prefix levels tested one after another; the last level includes all deeper tokens."""

_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


class GrammarText:
    """A completion as a grammar state: the previous state and the last token."""

    __slots__ = ("__weakref__", "before", "next", "token")

    def __init__(self, before: GrammarText | None = None, token: int = -1) -> None:
        self.before, self.token = before, token
        self.next: weakref.WeakValueDictionary[int, GrammarText] = weakref.WeakValueDictionary()


class LlamaGrammar:
    """A grammar over a model's vocabulary; raises ConfigError if `gbnf.check` or llama.cpp rejects it.

    Control tokens write no text and are never allowed, except the end-of-generation tokens.
    """

    def __init__(self, model: LlamaModel, text: str) -> None:
        n_bytes = gbnf.check(text)  # llama.cpp may abort on grammars that fail this check
        last_errors.clear()
        self._model = model
        pointer = C.llama_sampler_init_grammar(model.vocab, text.encode(), gbnf.ROOT.encode())
        if not pointer:
            raise ConfigError(f"llama.cpp rejects the grammar{errors()}", hint=gbnf.HINT)
        self._root = GrammarText()
        self._fresh = _Sampler(pointer)
        self._known: OrderedDict[GrammarText, _Sampler] = OrderedDict()
        self._most_known = min(REMEMBERED, REMEMBERED_BYTES // n_bytes)
        self._prefixes = Prefixes.of(model)

    def start(self) -> GrammarText:
        """See `TokenConstraint.start`."""
        return self._root

    def advance(self, state: GrammarText, token: int) -> GrammarText:
        """See `TokenConstraint.advance`."""
        found = state.next.get(token)
        if found is None:
            found = state.next[token] = GrammarText(state, token)
        return found

    def allowed(self, states: Sequence[GrammarText], n_threads: int = 1) -> list[Allowed]:
        """See `TokenConstraint.allowed`."""
        _ = self._model.vocab  # raises if the model is closed; llama.cpp reads the vocabulary
        samplers = [self._sampler(state) for state in states]
        found: list[Any] = [sampler.mask for sampler in samplers]

        def work(rows: Iterator[int]) -> None:
            for row in rows:
                if found[row] is None:
                    found[row] = samplers[row].mask = np.packbits(self._prefixes.allowed(samplers[row]))

        map_rows(work, len(states), n_threads)
        return [np.unpackbits(mask, count=self._model.n_vocab).view(np.bool_) for mask in found]

    def _sampler(self, text: GrammarText) -> _Sampler:
        """The sampler of a state, from the cache or advanced from the nearest cached prefix."""
        rest, at = list[int](), text
        while at not in self._known and at.before is not None:
            rest.append(at.token)
            at = at.before
        sampler = self._known.get(at, self._fresh)
        if rest:
            sampler = sampler.clone()
            for token in reversed(rest):
                sampler.accept(token)
        self._known[text] = sampler
        self._known.move_to_end(text)
        while len(self._known) > self._most_known:
            self._known.popitem(last=False)
        return sampler


class _Sampler:
    """A grammar sampler of llama.cpp, freed with this object, and its mask once it is computed."""

    __slots__ = ("__weakref__", "_pointer", "mask")

    def __init__(self, pointer: Any) -> None:
        self._pointer = pointer
        self.mask: NDArray[np.uint8] | None = None
        weakref.finalize(self, C.llama_sampler_free, pointer).atexit = False

    def clone(self) -> _Sampler:
        return _Sampler(C.llama_sampler_clone(self._pointer))

    def accept(self, token: int) -> None:
        if not self.are_allowed(np.array([token]))[0]:
            raise SequenceError(f"the grammar does not allow token {token}")
        C.llama_sampler_accept(self._pointer, token)

    def are_allowed(self, tokens: Ints) -> Allowed:
        candidates = np.zeros(len(tokens), _CANDIDATE)
        candidates["id"] = tokens
        array = C.llama_token_data_array(
            data=ctypes.cast(candidates.ctypes.data, C.llama_token_data_p),
            size=len(tokens),
            selected=-1,
            sorted=False,
        )
        C.llama_sampler_apply(self._pointer, ctypes.byref(array))
        return np.asarray(candidates["logit"] == 0.0)


class Prefixes:
    """The tokens of a vocabulary arranged by prefix: which tokens start with which others, by level."""

    _known: ClassVar[weakref.WeakKeyDictionary[LlamaModel, Prefixes]] = weakref.WeakKeyDictionary()

    @classmethod
    def of(cls, model: LlamaModel) -> Prefixes:
        """The prefixes of a model, computed once.

        This takes half a second for a large vocabulary, and there can be a new grammar per problem or turn.
        """
        if model not in cls._known:
            cls._known[model] = cls(model)
        return cls._known[model]

    def __init__(self, model: LlamaModel) -> None:
        self._n_vocab = model.n_vocab
        pieces = [b"" if end else model.pieces[i] for i, end in enumerate(model.is_eog.tolist())]
        parents, levels = _forest(pieces, MOST_LEVELS if self._n_vocab > SMALL else 1)
        levels[model.is_eog] = 0
        # In order of token id, the order of their texts in llama.cpp's memory.
        tokens = [np.flatnonzero(levels == level) for level in range(levels.max(initial=0) + 1)]
        self._levels = [(level, parents[level]) for level in tokens]

    def allowed(self, sampler: _Sampler) -> Allowed:
        """(V,) True for each token that the sampler allows."""
        # Tokens without a prefix token refer to the extra last entry.
        found = np.zeros(self._n_vocab + 1, dtype=np.bool_)
        found[-1] = True
        for level, parents in self._levels:
            tokens = level[found[parents]]
            if not len(tokens):
                break
            found[tokens] = sampler.are_allowed(tokens)
        return found[:-1]


_NO_TEXT = -1

_NEVER = bytes([0, 0xC0, 0xC1, *range(0xF5, 0x100)])
"""NUL, which ends a piece for llama.cpp, and bytes that are invalid in UTF-8 but that it would decode."""


def _forest(pieces: Sequence[bytes], most_levels: int) -> tuple[Ints, Ints]:
    """(V,) the longest prefix token of each token, −1 for none, and (V,) its level: the number of prefixes.

    Tokens without text, or with invalid bytes, have level −1. A token that ends within a character is not
    used as a prefix: whether llama.cpp allows it implies nothing for longer tokens.
    """
    parents, levels = np.full(len(pieces), -1), np.full(len(pieces), _NO_TEXT)
    path: list[int] = []
    for token in sorted(range(len(pieces)), key=pieces.__getitem__):
        piece = pieces[token]
        if not piece or piece.translate(None, _NEVER) != piece:
            continue
        while path and not piece.startswith(pieces[path[-1]]):
            path.pop()
        parents[token], levels[token] = path[-1] if path else -1, len(path)
        if len(path) < most_levels - 1 and _is_whole(piece):
            path.append(token)
    return parents, levels


def _is_whole(piece: bytes) -> bool:
    try:
        piece.decode()
    except UnicodeDecodeError:
        return False
    return True
