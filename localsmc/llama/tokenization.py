"""Text to tokens by llama.cpp, also where its tokenizer recurses deeply or takes forever.

llama.cpp splits a text by regular expressions before it looks up tokens. Many of them run in `std::regex`,
which recurses once or twice per character of a match: 60,000 letters overflow a stack of 8 MB and end the
process. What a match is depends on the tokenizer: letters, blanks, in some all text up to a comma. So not the
text's kind counts here but its length: a short text is tokenised at once, a longer one in a thread whose
stack fits a match of the whole text. `docs/development/tokenizers.md` has the figures.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from localsmc.errors import ContextError, PromptTooLong
from localsmc.llama.binding import C
from localsmc.lm.interface import TokenIds
from localsmc.system.roomy_call import NoRoom, RoomyCalls
from localsmc.text.encoding import encoded

SHORT = 1_000
"""Characters that any thread's stack is enough for."""

LONGEST = 1_000_000
"""Characters of the longest text that is tokenised: its stack takes 1 GB of addresses."""

SECONDS = 60.0
"""The longest that a text may take; a million characters of prose take one."""

STACK_PER_CHARACTER = 1 << 10
"""Bytes of stack per character: three times what libstdc++ needs, and no memory until used."""

_STACK = 1 << 20
"""Bytes of stack beside that."""

_SHORTER = "shorten the text: long runs of one kind of character, or of lines, take some tokenizers long"


class Tokenizer:
    """llama.cpp's tokenizer for the texts of one model."""

    def __init__(self) -> None:
        self._calls = RoomyCalls()

    @property
    def is_busy(self) -> bool:
        """Whether a call that was given up still reads the vocabulary, which must not be freed then."""
        return self._calls.is_busy

    def tokenize(self, vocab: Any, text: str, *, special: bool, add_bos: bool = False) -> TokenIds:
        """Token ids of a text; with `special`, the texts of control tokens become those tokens.

        `vocab` is the llama_vocab pointer; `add_bos` adds the tokens that the model's settings put around a
        text. Raises ConfigError for a text that is no Unicode, PromptTooLong for one that is too long or
        takes too long, and ContextError if the stack for it cannot be had.
        """
        data = encoded(text)
        if len(text) <= SHORT:
            return _tokens(vocab, data, special=special, add_bos=add_bos)
        if len(text) > LONGEST:
            raise PromptTooLong(
                f"a text of {len(text):,} characters is too long: at most {LONGEST:,} are tokenised",
                hint="shorten the text",
            )
        stack = _STACK + len(text) * STACK_PER_CHARACTER
        try:
            return self._calls.call(
                lambda: _tokens(vocab, data, special=special, add_bos=add_bos), stack=stack, seconds=SECONDS
            )
        except TimeoutError:
            raise PromptTooLong(
                f"the model's tokenizer needs more than {SECONDS:g} s for a text of {len(text):,} characters",
                hint=_SHORTER,
            ) from None
        except NoRoom:
            raise ContextError(
                f"a text of {len(text):,} characters needs a stack of {stack >> 20:,} MiB, which this system"
                " does not give to a thread",
                hint="shorten the text, or raise the limits that `ulimit -v` and `ulimit -u` show",
            ) from None


def _tokens(vocab: Any, data: bytes, *, special: bool, add_bos: bool) -> TokenIds:
    size = len(data) + 8
    while True:
        buffer = (ctypes.c_int32 * size)()
        n = C.llama_tokenize(vocab, data, len(data), buffer, size, add_bos, special)
        if n >= 0:
            return np.array(buffer[:n], dtype=np.int32)
        size = -n
