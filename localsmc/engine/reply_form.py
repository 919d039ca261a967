"""How the completions of one prompt are read: the marks of a thought, and what the prompt ends in."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from localsmc.llama import LlamaModel
from localsmc.llama.named_tokens import is_bos, is_control, tokens_named
from localsmc.lm.interface import TokenIds
from localsmc.text.marked_pieces import MarkedPieces
from localsmc.text.stop_rule import StopRule
from localsmc.text.thought_marks import AT_START, TAGS, THOUGHT, ThoughtMarks, ThoughtState, token_names

_LAST = 32
"""The tokens at the end of a prompt that can open a thought or begin a header."""

_LONGEST_OPENING = 8192
"""The tokens at the end of a prompt in which its part of the reply, such as a thought, is looked for."""


def marks_of(llama: LlamaModel) -> ThoughtMarks:
    """The marks around the thought of a model."""
    return _named(llama)[0]


_KNOWN: WeakKeyDictionary[LlamaModel, tuple[ThoughtMarks, dict[str, int]]] = WeakKeyDictionary()
"""What was found for each model: it takes as long as the decode of a token, and every prompt asks."""


def _named(llama: LlamaModel) -> tuple[ThoughtMarks, dict[str, int]]:
    if llama not in _KNOWN:
        _KNOWN[llama] = _found(llama)
    marks, tokens = _KNOWN[llama]
    return marks, dict(tokens)


def _found(llama: LlamaModel) -> tuple[ThoughtMarks, dict[str, int]]:
    tokens = tokens_named(llama, token_names())
    # An end token ends the completion, whatever it is named.
    tokens = {name: token for name, token in tokens.items() if not llama.is_eog[token]}
    marks = ThoughtMarks([name for name, token in tokens.items() if is_control(llama, token)], tokens)
    return marks, {name: token for name, token in tokens.items() if name in marks.names}


@dataclass(frozen=True, slots=True)
class ReplyForm:
    """The marks of a vocabulary, the bytes of its tokens as they are read, and what the prompt ends in."""

    marks: ThoughtMarks
    pieces: MarkedPieces
    begin: ThoughtState
    stop_names: frozenset[str]
    """The names of tokens in the stop strings."""

    @classmethod
    def of(
        cls, llama: LlamaModel, prompt: TokenIds, stops: Sequence[str], grammar: str | None = None
    ) -> ReplyForm:
        """The form of the completions of a prompt.

        With a grammar, a thought that the prompt opens counts only if the grammar can close its tag.
        """
        marks, tokens = _named(llama)
        in_reply = frozenset(tokens.values())
        named = {name for name in llama.control_texts if any(name in stop for stop in stops)}
        tokens |= tokens_named(llama, named)
        pieces = MarkedPieces(llama.pieces, {token: name for name, token in tokens.items()})
        begin = marks.begin(b"".join(pieces[token] for token in prompt[-_LAST:].tolist()))
        if begin == AT_START:
            so_far = marks.end(b"".join(pieces[token] for token in _reply_so_far(llama, prompt, in_reply)))
            begin = so_far if so_far.kind == THOUGHT else begin
        if grammar is not None and not _can_close(grammar, marks, begin):
            begin = ThoughtState()
        names = frozenset(name for name in tokens if any(name in stop for stop in stops))
        return cls(marks, pieces, begin, names)

    @property
    def closing(self) -> str:
        """The tag that ends a thought that the prompt opened, if it is text; else empty."""
        closing = TAGS[self.begin.tag].closing if self.begin.kind == THOUGHT and self.begin.tag >= 0 else ""
        return "" if closing in self.marks.names else closing

    def stop_rule(self, stops: Sequence[str], *, at_box: bool) -> StopRule:
        """The rule that ends completions."""
        return StopRule(self.pieces, tuple(stops), at_box, self.marks, self.begin, self.stop_names)


def _reply_so_far(llama: LlamaModel, prompt: TokenIds, in_reply: Collection[int]) -> list[int]:
    """The tokens of the reply that are in the prompt: those behind its last control token, if it has one.

    Those of `in_reply` are marks, which a reply can have. Where only the tokens that begin and end a text are
    control tokens, roles are words, and nothing says where the reply begins.
    """
    tokens: list[int] = prompt[-_LONGEST_OPENING:].tolist()
    for at in reversed(range(len(tokens))):
        if not is_control(llama, tokens[at]) or tokens[at] in in_reply:
            continue
        said = tokens[at + 1 :]
        is_of_texts = is_bos(llama, tokens[at]) or bool(llama.is_eog[tokens[at]])
        return [] if is_of_texts and not llama.text(np.array(said)).startswith(b"assistant") else said
    return []


def _can_close(grammar: str, marks: ThoughtMarks, begin: ThoughtState) -> bool:
    if begin.kind != THOUGHT or begin.tag < 0:
        return False
    closing = TAGS[begin.tag].closing
    return closing not in marks.names and closing in grammar
