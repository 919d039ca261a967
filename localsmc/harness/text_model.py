"""A loaded model as lm-eval uses one: texts in; texts and log-probabilities of texts out."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from localsmc.engine.load import Model, load
from localsmc.engine.prompting import Prompt
from localsmc.engine.solve import Generation
from localsmc.errors import ConfigError
from localsmc.harness.generation_arguments import GenerationArguments
from localsmc.harness.model_arguments import ModelArguments
from localsmc.lm.interface import TokenIds
from localsmc.scoring.pair_tokens import PairForm, PairTokens
from localsmc.scoring.perplexity import long_tokens
from localsmc.scoring.rounds import ScoredTokens
from localsmc.scoring.score_context import check_length, n_length, scored
from localsmc.text.chat_template import Message, Template


class LogLikelihood(NamedTuple):
    """log p of a text, and whether greedy decoding writes it."""

    logp: float
    is_greedy: bool


class TextModel:
    """The model. What does not fit in the context is cut at its left, as in lm-eval: `n_cut` counts it.

    Once `render` has written a chat, control tokens in contexts are read as such: they come from a template.
    """

    def __init__(self, arguments: ModelArguments) -> None:
        self.arguments, self.n_cut, self.has_chat = arguments, 0, False
        spec = arguments.method
        self.model: Model = load(
            arguments.model,
            arguments.loading,
            draft=arguments.model_draft,
            draft_options=arguments.loading,
            methods=() if spec is None else (spec.method,),
            settings=arguments.settings,
        )
        self._length = n_length(self.model, arguments.settings)

    # --- chats ---

    @property
    def template(self) -> Template:
        """The chat template; raises ConfigError if there is none."""
        found = self.model.llama.chat_template
        if found is None:
            raise ConfigError(
                f"`{self.model.source.file_name}` has no chat template",
                hint="remove --apply_chat_template, or add chat_template=NAME to --model_args",
            )
        return found

    def render(self, messages: Sequence[Message], *, continues: bool = False) -> str:
        """A chat up to the start of the reply; with `continues` the last message begins the reply."""
        self.has_chat = True
        begun = messages[-1]["content"] if continues else ""
        said = messages[:-1] if continues else messages
        return self.template.render(said, thinking=self.arguments.thinking) + begun

    # --- log-probabilities ---

    def log_likelihoods(self, pairs: Sequence[tuple[str, str]]) -> Iterator[tuple[int, LogLikelihood]]:
        """log p of each text after its context, with its index, as they are done.

        Raises ConfigError for an empty text, and PromptTooLong for one that alone is longer than the context.
        """
        settings = self.arguments.settings
        tokenised = PairTokens(self.model, PairForm(special=self.has_chat), settings)
        sequences = []
        for i, (context, text) in enumerate(pairs):
            name = f"text {i + 1}"
            sequences.append(self._cut(tokenised(context, text, name)))
            check_length(self.model, settings, sequences[-1], name)
        for i, found in scored(self.model, sequences, settings):
            tokens = sequences[i].tokens[sequences[i].first :]
            yield i, LogLikelihood(float(found.logps.sum()), np.array_equal(tokens, found.top_tokens))

    def rolling_log_likelihoods(self, texts: Sequence[str]) -> Iterator[tuple[int, float]]:
        """log p of each whole text, with its index, as they are done; 0 for an empty text.

        Long ones are read in windows, each as long as the context and scored where none before it was.
        """
        windows: list[ScoredTokens] = []
        owners: list[int] = []
        for i, text in enumerate(texts):
            found = list(self._windows(text))
            windows += found
            owners += [i] * len(found)
        left, sums = Counter(owners), [0.0] * len(texts)
        yield from ((i, 0.0) for i in range(len(texts)) if not left[i])
        for n, logps in scored(self.model, windows, self.arguments.settings):
            i = owners[n]
            sums[i] += float(logps.logps.sum())
            left[i] -= 1
            if not left[i]:
                yield i, sums[i]

    def _cut(self, sequence: ScoredTokens) -> ScoredTokens:
        n_left = min(sequence.n_decoded - self._length, sequence.first - 1)
        if n_left <= 0:
            return sequence
        self.n_cut += 1
        return ScoredTokens(sequence.tokens[n_left:], sequence.first - n_left)

    def _windows(self, text: str) -> Iterator[ScoredTokens]:
        if not text:
            return
        tokens, prefix = long_tokens(self.model, text), self.model.llama.prefix_token
        if prefix is not None and tokens[0] != prefix:
            tokens = np.concatenate((np.array([prefix], dtype=np.int32), tokens))
        n_scored, size = 1, self._length + 1
        while n_scored < len(tokens):
            end = min(n_scored + self._length, len(tokens))
            begin = max(0, end - size)
            yield ScoredTokens(tokens[begin:end], n_scored - begin)
            n_scored = end

    # --- generation ---

    def generate(self, context: str, given: Mapping[str, Any], repeat: int = 0) -> str:
        """What the method writes after a context, up to a stop string.

        The seed is derived from the context and `repeat`, which counts the same requests from 0.
        """
        arguments = GenerationArguments.of(given)
        spec = self.arguments.method or arguments.method
        settings = replace(
            self.arguments.settings,
            n_predict=arguments.max_tokens,
            seed=self._seed(context, repeat),
            select=spec.select,
            raw=True,
            special=self.has_chat,
            stop=arguments.until,
            conclude="off",
        )
        method = self.model.method(spec.name, **spec.options)
        prompt = self._prompt(context, arguments.max_tokens)
        with Generation(self.model, context, method, settings, prompt=prompt) as generation:
            for _ in generation:
                pass
            return generation.result().text

    def _seed(self, context: str, repeat: int) -> int:
        text = f"{self.arguments.seed}/{repeat}/{context}"
        return int.from_bytes(hashlib.sha256(text.encode(errors="backslashreplace")).digest()[:4], "big")

    def _prompt(self, context: str, n_new: int) -> Prompt:
        llama = self.model.llama
        tokens: TokenIds = llama.with_bos(llama.tokenize(context, special=self.has_chat))
        if not len(tokens):  # nothing stands before the text
            tokens = np.array([t for t in (llama.prefix_token,) if t is not None], dtype=np.int32)
        room = max(1, self._length - min(n_new, self._length // 2))
        if len(tokens) > room:
            self.n_cut += 1
            tokens = llama.with_bos(tokens[len(tokens) - room + 1 :])
        return Prompt(context, tokens)
