"""Read the completions of a run: text, answer, and the tokens that ask for an answer where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from localsmc.engine import conclusion, output_format
from localsmc.engine.conclusion import Conclusions
from localsmc.lm.interface import TokenIds
from localsmc.text import reasoning

if TYPE_CHECKING:
    from localsmc.engine.load import Model
    from localsmc.engine.output_format import Extract
    from localsmc.engine.settings import Settings
    from localsmc.text.stop_rule import StopRule


class CompletionReader:
    """Reads completions, given as tokens.

    `closing` is the tag that ends the reasoning that the prompt opened. `conclusions` holds the answers that
    were asked for, once they are.
    """

    def __init__(
        self, model: Model, settings: Settings, stop: StopRule, closing: str, extract: Extract
    ) -> None:
        self._llama, self._model, self._settings = model.llama, model, settings
        self._stop, self._closing, self._extract = stop, closing, extract
        self.conclusions = Conclusions()

    def text(self, tokens: TokenIds) -> str:
        """The text, without its end token and stop string; its last character may be incomplete."""
        return self._shown(tokens)[0].decode(errors="replace").rstrip("\ufffd")

    def answer(self, tokens: TokenIds, *, is_cut: bool) -> str | None:
        """The answer, None if there is none; a text that `is_cut` states only what it finished."""
        shown, is_whole = self._shown(tokens)
        text = shown.decode(errors="replace").rstrip("\ufffd")
        # Reasoning is no answer. In JSON its tags have no meaning.
        said = text if self._settings.json_schema is not None else reasoning.reply(text, self._closing)
        found = output_format.answer_of(said, self._settings, self._extract, is_whole=is_whole)
        return self._concluded(tokens) if found is None else found

    def _concluded(self, tokens: TokenIds) -> str | None:
        content = self.conclusions.of(tokens)
        return None if content is None else self._extract(f"\\boxed{{{content}}}")

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
