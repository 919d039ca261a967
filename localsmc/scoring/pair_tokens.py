"""A prompt and a text as one token sequence, of which the text's tokens are scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from localsmc.engine import prompting
from localsmc.engine.settings import Settings
from localsmc.errors import ConfigError
from localsmc.lm.interface import TokenIds
from localsmc.scoring.rounds import ScoredTokens

if TYPE_CHECKING:
    from localsmc.engine.load import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class PairForm:
    """How a prompt and a text are put to a model.

    As they are, unless `chat`: then the prompt is the user's message and the text the beginning of the reply.
    `special` reads control tokens in prompt and text. `end` also scores the token that ends the text.
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
        _check(model, form, settings)
        self._model, self._llama, self._form = model, model.llama, form
        # Log-probabilities are those of the prompt as it is given: no instruction is added to it.
        self._settings = replace(settings, box="off")
        self._last: tuple[str, TokenIds] | None = None
        self._end = model.llama.end_token(of_turn=form.chat) if form.end else None
        if form.end and self._end is None:
            raise ConfigError("the model has no token that ends a text", hint="remove `--end`")

    def __call__(self, prompt: str, text: str, name: str = "the text") -> ScoredTokens:
        """The tokens of a pair; raises ConfigError, with the `name` of the text, if it has none to score."""
        if not text:
            raise ConfigError(f"{name} is empty", hint="give a text of at least one character")
        if self._form.chat and not prompt.strip():
            raise ConfigError(
                f"{name} has an empty prompt, but `--chat` makes a message of it", hint="add `-p PROMPT`"
            )
        found = self._chat(prompt, text) if self._form.chat else self._raw(prompt, text)
        if self._end is not None:
            found = ScoredTokens(np.append(found.tokens, np.int32(self._end)), found.first)
        if found.n_scored == 0:
            raise ConfigError(
                f"{name} is one token, and this model has no token that begins a text", hint="add `-p PROMPT`"
            )
        return found

    def _chat(self, prompt: str, text: str) -> ScoredTokens:
        if self._last is None or self._last[0] != prompt:
            self._last = prompt, prompting.build_prompt(self._model, prompt, self._settings).tokens
        head = self._last[1]
        return ScoredTokens(np.concatenate((head, self._llama.tokenize_on(text))), len(head))

    def _raw(self, prompt: str, text: str) -> ScoredTokens:
        """The tokens of prompt and text together, cut where the prompt's end.

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
        if np.array_equal(whole[: len(before)], before) and len(whole) > len(before):
            return ScoredTokens(whole, len(before))
        # A token of the whole reaches across the cut: the text is tokenised alone, so that it is scored.
        return ScoredTokens(np.concatenate((before, llama.tokenize_on(text, special=special))), len(before))

    def _alone(self, text: str) -> ScoredTokens:
        """A text without a prompt: after the beginning-of-sequence token, or else the end token."""
        llama, prefix = self._llama, self._llama.prefix_token
        tokens = llama.tokenize(text, special=self._form.special)
        if prefix is None:
            return ScoredTokens(tokens, min(1, len(tokens)))
        if not len(tokens) or tokens[0] != prefix:
            tokens = np.concatenate((np.array([prefix], dtype=np.int32), tokens))
        return ScoredTokens(tokens, 1)


def _check(model: Model, form: PairForm, settings: Settings) -> None:
    """Refuse a template that does not exist, and settings of a conversation where there is none."""
    if form.chat and model.llama.chat_template is None:
        raise ConfigError(
            f"`{model.source.file_name}` has no chat template",
            hint="remove `--chat`, or add `--chat-template`",
        )
    if form.chat and settings.raw:
        raise ConfigError("`raw` and `chat` exclude each other", hint="remove one of them")
    names = ("system", "examples", "earlier", "thinking")
    given = [name for name in names if getattr(settings, name) not in (None, ())]
    if given and not form.chat:
        raise ConfigError(
            f"`{given[0]}` works with `chat` only: a prompt is scored as it is given",
            hint=f"add `--chat`, or remove `{given[0]}`",
        )


def longest(sequences: Sequence[ScoredTokens]) -> int:
    """The most tokens that one sequence decodes."""
    return max((sequence.n_decoded for sequence in sequences), default=1)
