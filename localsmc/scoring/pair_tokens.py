"""A prompt and a text as one token sequence, of which the text's tokens are scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from localsmc.engine import prompting
from localsmc.engine.settings import Settings
from localsmc.errors import ConfigError
from localsmc.lm.interface import TokenIds, common_prefix
from localsmc.scoring.rounds import ScoredTokens

if TYPE_CHECKING:
    from localsmc.engine.load import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class PairForm:
    """How a prompt and a text are put to a model.

    As they are, unless `chat`: then the prompt is the user's message and the text the beginning of the reply.
    `special` reads control tokens in the prompt. `end` also scores the token that ends the text.
    """

    chat: bool = False
    special: bool = False
    end: bool = False

    def __post_init__(self) -> None:
        if self.chat and self.special:
            raise ConfigError(
                "`special` has no effect with `chat`: the template writes the control tokens",
                hint="remove one of them",
            )


class PairTokens:
    """Tokenises pairs; the tokens of the last prompt are kept, because neighbours often share it."""

    def __init__(self, model: Model, form: PairForm, settings: Settings) -> None:
        self._model, self._llama, self._form = model, model.llama, form
        # Log-probabilities are those of the prompt as it is given: no instruction is added to it.
        self._settings = replace(settings, box="off")
        self._last: tuple[str, TokenIds] | None = None
        if form.chat and model.llama.chat_template is None:
            raise ConfigError(
                f"`{model.source.file_name}` has no chat template",
                hint="remove `--chat`, or add `--chat-template`",
            )

    def __call__(self, prompt: str, text: str) -> ScoredTokens:
        """The tokens of a pair; raises ConfigError for a text without tokens."""
        found = self._chat(prompt, text) if self._form.chat else self._raw(prompt, text)
        if found.n_scored == 0:
            raise ConfigError(
                "the text to score is empty", hint='for example: localsmc score -p "1 + 1 =" " 2"'
            )
        end = self._llama.end_token(of_turn=self._form.chat) if self._form.end else None
        if end is None and self._form.end:
            raise ConfigError("the model has no token that ends a text", hint="remove `--end`")
        tokens = found.tokens if end is None else np.append(found.tokens, np.int32(end))
        return ScoredTokens(tokens, found.first)

    def _chat(self, prompt: str, text: str) -> ScoredTokens:
        if self._last is None or self._last[0] != prompt:
            self._last = prompt, prompting.build_prompt(self._model, prompt, self._settings).tokens
        head = self._last[1]
        return ScoredTokens(np.concatenate((head, self._llama.tokenize_on(text))), len(head))

    def _raw(self, prompt: str, text: str) -> ScoredTokens:
        """The tokens of the whole text, cut where the prompt's end.

        Blanks that end the prompt belong to the text: most vocabularies have tokens of a blank and a word.
        """
        head = prompt.rstrip()
        text = prompt[len(head) :] + text
        if not head:
            return self._alone(text)
        llama, special = self._llama, self._form.special
        if self._last is None or self._last[0] != head:
            self._last = head, llama.with_bos(llama.tokenize(head, special=special))
        before = self._last[1]
        whole = llama.with_bos(llama.tokenize(head + text, special=special))
        if len(whole) <= len(before):
            # A token of the whole text reaches across the cut: it is scored whole.
            return ScoredTokens(
                whole, max(1, len(common_prefix([whole[:-1], before]))) if text else len(whole)
            )
        return ScoredTokens(np.concatenate((before, whole[len(before) :])), len(before))

    def _alone(self, text: str) -> ScoredTokens:
        """A text without a prompt: after the beginning-of-sequence token, or the end token of a text before."""
        llama, prefix = self._llama, self._llama.prefix_token
        tokens = llama.tokenize(text, special=self._form.special)
        if prefix is None:
            return ScoredTokens(tokens, min(1, len(tokens)))
        if not len(tokens) or tokens[0] != prefix:
            tokens = np.concatenate((np.array([prefix], dtype=np.int32), tokens))
        return ScoredTokens(tokens, 1)


def shortened(sequence: ScoredTokens, n_length: int) -> ScoredTokens:
    """A sequence without its first tokens, if more than `n_length` are to be decoded."""
    n_cut = max(0, sequence.n_decoded - n_length)
    return ScoredTokens(sequence.tokens[n_cut:], max(1, sequence.first - n_cut))


def longest(sequences: Sequence[ScoredTokens]) -> int:
    """The most tokens that one sequence decodes."""
    return max((sequence.n_decoded for sequence in sequences), default=1)
