"""Read the completions of a run: text, answer, and the tokens that ask for an answer where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from localsmc.engine import conclusion, output_format
from localsmc.engine.conclusion import Conclusions
from localsmc.lm.interface import TokenIds
from localsmc.results import AnswerKind
from localsmc.text import answers, reasoning
from localsmc.text.answers import Answer

if TYPE_CHECKING:
    from localsmc.engine.load import Model
    from localsmc.engine.settings import Settings
    from localsmc.text.stop_rule import StopRule


class CompletionReader:
    """Reads completions, given as tokens.

    `closing` is the tag that ends the reasoning that the prompt opened, `kind` what answers there are.
    `conclusions` holds the answers that were asked for, once they are.
    """

    def __init__(
        self, model: Model, settings: Settings, stop: StopRule, closing: str, kind: AnswerKind
    ) -> None:
        self._llama, self._model, self._settings = model.llama, model, settings
        self._stop, self._closing, self.kind = stop, closing, kind
        self.conclusions = Conclusions()

    def read(self, tokens: TokenIds) -> tuple[str, Answer | None]:
        """The text, without its end token and stop string, and its answer.

        That is the one that the text states, else the one that was asked for, else the fallback of its kind.
        """
        text, is_whole = self._text(tokens)
        said = self._said(text)
        found = self._stated(said, is_whole=is_whole) or self._concluded(tokens)
        if found is None and not self._settings.is_restricted:
            found = answers.fallback(said, self.kind, is_cut=not is_whole)
        return text, found

    def stated(self, tokens: TokenIds) -> Answer | None:
        """The answer that the text states; None if it states none. A cut text states what it finished."""
        text, is_whole = self._text(tokens)
        return self._stated(self._said(text), is_whole=is_whole)

    def _stated(self, said: str, *, is_whole: bool) -> Answer | None:
        return output_format.answer_of(said, self._settings, self.kind, is_whole=is_whole)

    def _concluded(self, tokens: TokenIds) -> Answer | None:
        content = self.conclusions.of(tokens)
        found = None if content is None else self._boxed(content)
        return None if found is None else found._replace(source="concluded")

    def _boxed(self, content: str) -> Answer | None:
        # A box whose line ends within a brace holds no answer, and a guess at its last number is none.
        return answers.find(f"\\boxed{{{content}}}", self.kind, with_fallback=False)

    def _text(self, tokens: TokenIds) -> tuple[str, bool]:
        """The text, whose last character may be incomplete, and whether it is finished."""
        shown, is_whole = self._shown(tokens)
        return shown.decode(errors="replace").rstrip("\ufffd"), is_whole

    def _said(self, text: str) -> str:
        """The text without its reasoning, which is no answer; in JSON its tags have no meaning."""
        is_json = self._settings.json_schema is not None
        return text if is_json else reasoning.reply(text, self._closing)

    def request(self, tokens: TokenIds) -> TokenIds:
        """The completion as it is shown, followed by the request for its answer."""
        (shown, _), llama = self._shown(tokens), self._llama
        body = tokens[~llama.is_eog[tokens]]
        ends = np.cumsum([0, *(len(llama.pieces[token]) for token in body.tolist())])
        n_kept = int(np.searchsorted(ends, len(shown), "right")) - 1
        # A stop string can begin within a token: the bytes before it are tokenised again.
        rest = shown[ends[n_kept] :].decode(errors="replace")
        closing = reasoning.unclosed(shown.decode(errors="replace"), self._closing)
        parts = [body[:n_kept], conclusion.request_tokens(self._model, closing)]
        if rest:
            parts.insert(1, llama.tokenize_on(rest))
        return np.concatenate(parts)

    def _shown(self, tokens: TokenIds) -> tuple[bytes, bool]:
        """The bytes of a completion that are shown, and whether it is finished."""
        is_end = self._llama.is_eog[tokens]
        # End tokens can have a spelling; it is not part of the completion.
        spelled = self._llama.text(tokens[~is_end])
        shown = self._stop.shown(spelled)
        return shown, bool(is_end.any()) or shown != spelled
