"""The tokens of a vocabulary that have a name: control tokens, and others that were added to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from localsmc.llama.binding import C

if TYPE_CHECKING:
    from localsmc.llama.weights import LlamaModel


def tokens_named(model: LlamaModel, names: Iterable[str]) -> dict[str, int]:
    """The control and added tokens that have these names, by name."""
    found = {}
    added = C.LLAMA_TOKEN_ATTR_CONTROL | C.LLAMA_TOKEN_ATTR_USER_DEFINED
    for name in names:
        tokens = model.tokenize(name, special=True).tolist()
        if len(tokens) == 1 and C.llama_vocab_get_attr(model.vocab, tokens[0]) & added:
            found[name] = int(tokens[0])
    return found


def is_control(model: LlamaModel, token: int) -> bool:
    """Whether it is a control token, which has no text."""
    return bool(C.llama_vocab_is_control(model.vocab, token))


def is_bos(model: LlamaModel, token: int) -> bool:
    """Whether it is the token that begins a text."""
    return token == int(C.llama_vocab_bos(model.vocab))
