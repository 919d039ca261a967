"""llama.cpp's grammar engine behind `restricted.Grammar`: which tokens a GBNF grammar allows.

A state is a text, as a chain of tokens; states with equal texts are one as long as somebody holds them.
What llama.cpp remembers of a text is made when its mask is asked for, from the nearest beginning that is
still remembered. The mask is found along the vocabulary's prefixes: a token is only tried where the
longest of its beginnings that is a token as well is allowed, which leaves a few hundred of 150,000 where
a grammar leaves little choice; where it leaves much, all are tried, on as many threads as there are states.

llama.cpp ends the process when it is handed a token that is not allowed: each one is tried before.
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
"""Texts whose sampler and mask are kept, at most; of others they are made anew."""

REMEMBERED_BYTES = 2**30
"""Each has the whole grammar: of a large one fewer are kept."""

SMALL = 4096
"""Vocabularies up to this size are tried whole: a call for each level would cost more."""

MOST_LEVELS = 5
"""Of beginnings that are tried one after the other; the few longer ones are tried with the last level."""

_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


class GrammarText:
    """A text that the grammar has been fed with: its last token behind another text."""

    __slots__ = ("__weakref__", "before", "next", "token")

    def __init__(self, before: GrammarText | None = None, token: int = -1) -> None:
        self.before, self.token = before, token
        self.next: weakref.WeakValueDictionary[int, GrammarText] = weakref.WeakValueDictionary()


class LlamaGrammar:
    """A grammar over a model's vocabulary; ConfigError for one that `gbnf.check` or llama.cpp refuses.

    Control tokens other than those that end a generation write nothing, and are never allowed.
    """

    def __init__(self, model: LlamaModel, text: str) -> None:
        n_bytes = gbnf.check(text)  # on others llama.cpp may end the process
        last_errors.clear()
        self._model = model
        pointer = C.llama_sampler_init_grammar(model.vocab, text.encode(), gbnf.ROOT.encode())
        if not pointer:
            raise ConfigError(f"llama.cpp does not take the grammar{errors()}", hint=gbnf.HINT)
        self._root = GrammarText()
        self._fresh = _Sampler(pointer)
        self._known: OrderedDict[GrammarText, _Sampler] = OrderedDict()
        self._most_known = min(REMEMBERED, REMEMBERED_BYTES // n_bytes)
        self._prefixes = Prefixes.of(model)

    def start(self) -> GrammarText:
        """See `restricted.Grammar.start`."""
        return self._root

    def advance(self, state: GrammarText, token: int) -> GrammarText:
        """See `restricted.Grammar.advance`."""
        found = state.next.get(token)
        if found is None:
            found = state.next[token] = GrammarText(state, token)
        return found

    def allowed(self, states: Sequence[GrammarText], n_threads: int = 1) -> list[Allowed]:
        """See `restricted.Grammar.allowed`."""
        _ = self._model.vocab  # which llama.cpp looks at; closed, it is refused
        samplers = [self._sampler(state) for state in states]
        found: list[Any] = [sampler.mask for sampler in samplers]

        def work(rows: Iterator[int]) -> None:
            for row in rows:
                if found[row] is None:
                    found[row] = samplers[row].mask = np.packbits(self._prefixes.allowed(samplers[row]))

        map_rows(work, len(states), n_threads)
        return [np.unpackbits(mask, count=self._model.n_vocab).view(np.bool_) for mask in found]

    def _sampler(self, text: GrammarText) -> _Sampler:
        """What llama.cpp remembers of a text, by the nearest beginning that is known."""
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
    """A grammar sampler of llama.cpp, freed with this object, and its mask where that is known."""

    __slots__ = ("__weakref__", "_pointer", "mask")

    def __init__(self, pointer: Any) -> None:
        self._pointer = pointer
        self.mask: NDArray[np.uint8] | None = None
        weakref.finalize(self, C.llama_sampler_free, pointer).atexit = False

    def clone(self) -> _Sampler:
        return _Sampler(C.llama_sampler_clone(self._pointer))

    def accept(self, token: int) -> None:
        if not self.are_allowed(np.array([token]))[0]:
            raise SequenceError(f"the grammar does not allow the token {token}")
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
    """Which tokens begin with which others: a vocabulary's spellings, level by level."""

    _known: ClassVar[weakref.WeakKeyDictionary[LlamaModel, Prefixes]] = weakref.WeakKeyDictionary()

    @classmethod
    def of(cls, model: LlamaModel) -> Prefixes:
        """A model's, found once: half a second for a large vocabulary, and a grammar a problem or turn."""
        if model not in cls._known:
            cls._known[model] = cls(model)
        return cls._known[model]

    def __init__(self, model: LlamaModel) -> None:
        self._n_vocab = model.n_vocab
        pieces = [b"" if end else model.pieces[i] for i, end in enumerate(model.is_eog.tolist())]
        parents, levels = _forest(pieces, MOST_LEVELS if self._n_vocab > SMALL else 1)
        levels[model.is_eog] = 0
        # In order of their ids, as llama.cpp has their spellings in memory.
        tokens = [np.flatnonzero(levels == level) for level in range(levels.max(initial=0) + 1)]
        self._levels = [(level, parents[level]) for level in tokens]

    def allowed(self, sampler: _Sampler) -> Allowed:
        """(V,) what the sampler allows."""
        # What has no shorter token before it points at the entry behind the vocabulary.
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
"""Bytes that end a piece for llama.cpp, or are in no text, though it takes them for far characters."""


def _forest(pieces: Sequence[bytes], most_levels: int) -> tuple[Ints, Ints]:
    """(V,) a token that each begins with, −1 for none, and its level: how many others that one has before it.

    A token without text, or with bytes of none, is on no level, −1. One that ends within a character
    begins nothing: what llama.cpp thinks of it says nothing of others.
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
