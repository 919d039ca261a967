"""Read the completions of a run: text, answer, and the tokens that ask for an answer where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from localsmc.engine import conclusion, output_format
from localsmc.engine.conclusion import Conclusions
from localsmc.lm.interface import TokenIds
from localsmc.results import AnswerKind
from localsmc.text import answers, reasoning, refusal
from localsmc.text.answers import Answer
from localsmc.text.named_bytes import has_names, without_names
from localsmc.text.reasoning import TextPart
from localsmc.text.thought_marks import SPOKEN, THOUGHT

if TYPE_CHECKING:
    from localsmc.engine.load import Model
    from localsmc.engine.reply_form import ReplyForm
    from localsmc.engine.settings import Settings
    from localsmc.text.stop_rule import StopRule


class ReadCompletion(NamedTuple):
    """A completion as it is read: a refusal has no answer."""

    text: str
    answer: Answer | None
    is_refused: bool = False


class CompletionReader:
    """Reads completions, given as tokens.

    `form` says how they are read, `kind` what answers there are.
    `conclusions` holds the answers that were asked for, once they are.
    """

    def __init__(
        self, model: Model, settings: Settings, stop: StopRule, form: ReplyForm, kind: AnswerKind
    ) -> None:
        self._llama, self._model, self._settings = model.llama, model, settings
        self._stop, self._form, self.kind = stop, form, kind
        self.conclusions = Conclusions()

    def read(self, tokens: TokenIds) -> ReadCompletion:
        """The text, without its end token and stop string, and its answer, unless it is a refusal.

        That is the one that the text states, else the one that was asked for, else the fallback of its kind.
        """
        text, said, is_whole = self._texts(tokens)
        if self._is_refused(said):
            return ReadCompletion(text, None, is_refused=True)
        found = self._stated(said, is_whole=is_whole) or self._concluded(tokens)
        if found is None and not self._settings.is_restricted:
            found = answers.fallback(said, self.kind, is_cut=not is_whole)
        return ReadCompletion(text, found)

    def read_stated(self, tokens: TokenIds) -> ReadCompletion:
        """The same with no answer but one that the text states. A cut text states what it finished."""
        text, said, is_whole = self._texts(tokens)
        if self._is_refused(said):
            return ReadCompletion(text, None, is_refused=True)
        return ReadCompletion(text, self._stated(said, is_whole=is_whole))

    def _is_refused(self, said: str) -> bool:
        return refusal.is_refused(said, self._model.source.defaults.refusals)

    def _stated(self, said: str, *, is_whole: bool) -> Answer | None:
        return output_format.answer_of(said, self._settings, self.kind, is_whole=is_whole)

    def _concluded(self, tokens: TokenIds) -> Answer | None:
        content = self.conclusions.of(tokens)
        found = None if content is None else self._boxed(content)
        return None if found is None else found._replace(source="concluded")

    def _boxed(self, content: str) -> Answer | None:
        # A box whose line ends within a brace holds no answer, and a guess at its last number is none.
        return answers.find(f"\\boxed{{{content}}}", self.kind, with_fallback=False)

    def _texts(self, tokens: TokenIds) -> tuple[str, str, bool]:
        """The text, the text without its thought, which is no answer, and whether it is finished."""
        shown, is_whole = self._shown(tokens)
        if self._settings.json_schema is not None:  # in JSON, tags have no meaning
            text = _whole_characters(without_names(shown).decode(errors="replace"))
            return text, text, is_whole
        parts = self._split(shown)
        text = (
            _whole_characters(shown.decode(errors="replace"))
            if self._is_text(shown)
            else self._shown_text(shown, parts)
        )
        return text, reasoning.spoken(parts), is_whole

    def parts(self, tokens: TokenIds) -> list[TextPart]:
        """The text in parts of thought and reply, for a display that tells them apart."""
        shown, _ = self._shown(tokens)
        if self._settings.json_schema is not None:
            return [TextPart(self._texts(tokens)[0], is_thought=False)]
        parts = self._split(shown)
        return parts if self._is_text(shown) else reasoning.set_apart(parts)

    def _split(self, shown: bytes) -> list[TextPart]:
        parts = reasoning.split(shown, self._form.marks, self._form.begin)
        if parts:
            parts[-1] = parts[-1]._replace(text=_whole_characters(parts[-1].text))
        return parts

    def _is_text(self, shown: bytes) -> bool:
        """Whether all marks of a completion are text."""
        return not has_names(shown) and bool(self._form.begin.kind in SPOKEN or self._form.closing)

    def _shown_text(self, shown: bytes, parts: list[TextPart]) -> str:
        """The text of a completion with marks that are tokens."""
        end = self._form.marks.end(shown, self._form.begin)
        return reasoning.shown_text(parts, is_open=end.kind == THOUGHT, closing=self._form.closing)

    def request(self, tokens: TokenIds) -> TokenIds:
        """The completion as it is shown, followed by the request for its answer."""
        (shown, _), form = self._shown(tokens), self._form
        body = tokens[[self._is_read(token) for token in tokens.tolist()]]
        ends = np.cumsum([0, *(len(form.pieces[token]) for token in body.tolist())])
        n_kept = int(np.searchsorted(ends, len(shown), "right")) - 1
        # A stop string can begin within a token: the bytes before it are tokenised again.
        rest = shown[ends[n_kept] :].decode(errors="replace")
        completing = form.marks.completing(shown, form.begin)
        parts = [body[:n_kept], conclusion.request_tokens(self._model, completing)]
        if rest:
            parts.insert(1, self._llama.tokenize_on(rest))
        return np.concatenate(parts)

    def _shown(self, tokens: TokenIds) -> tuple[bytes, bool]:
        """The bytes of a completion that are shown, as they are read, and whether it is finished."""
        is_end = self._llama.is_eog[tokens]
        pieces = self._form.pieces
        read = b"".join(pieces[token] for token in tokens.tolist() if self._is_read(token))
        shown = self._stop.shown(read)
        return shown, bool(is_end.any()) or shown != read

    def _is_read(self, token: int) -> bool:
        # End tokens can have a spelling, which is not part of the completion: a stop string can name them.
        return not self._llama.is_eog[token] or token in self._form.pieces.names


def _whole_characters(text: str) -> str:
    """A text without the incomplete character at its end."""
    return text.rstrip("\ufffd")
