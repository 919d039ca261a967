"""A conversation with a model: any method for any turn, and a prefix cache between turns.

A turn decodes only the part of its prompt that differs from the last prompt, usually the last reply and
the new message. The prompt holds as much of the conversation as fits in the context.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from localsmc.engine import conclusion, context_plan, context_size, prompting
from localsmc.engine.load import Model
from localsmc.engine.prompting import Prompt
from localsmc.engine.reply_form import marks_of
from localsmc.engine.settings import AS_MANY_AS_FIT, Settings
from localsmc.engine.solve import Generation
from localsmc.engine.transcript import Exchange, about
from localsmc.errors import PromptTooLong
from localsmc.llama import LlamaContext
from localsmc.lm.interface import LanguageModel
from localsmc.lm.prefix_cache import PrefixCache
from localsmc.methods import Method
from localsmc.methods.base import draft_kind
from localsmc.results import Result
from localsmc.text import reasoning
from localsmc.text.chat_template import Message

HEADROOM = 1024
"""Tokens by which a conversation can grow, at least, before it needs a larger context."""


def exchange(solving: Generation, result: Result) -> Exchange:
    """The message and its reply, for a transcript."""
    reply = reasoning.spoken(solving.parts(result.text))
    return Exchange(
        user=solving.problem,
        text=result.text,
        reply=reply if reply != reasoning.reply(result.text, solving.closing) else None,
        instruction=solving.instruction,
        closing=solving.closing,
        about=about(result),
    )


class Conversation:
    """The messages so far, and the contexts that hold them. Close it, or use it in a `with`."""

    def __init__(self, model: Model, exchanges: Iterable[Exchange] = ()) -> None:
        self.model = model
        self.exchanges = list(exchanges)
        self.n_left_out = 0
        """How many of the first exchanges did not fit in the last prompt."""
        self._contexts: dict[bool, LlamaContext] = {}
        self._models: dict[bool, LanguageModel] = {}
        """The context of the model (False) and of the draft model (True), and their prefix caches."""

    def close(self) -> None:
        """Free the contexts; the next turn opens new ones."""
        for context in self._contexts.values():
            context.close()
        self._contexts.clear()
        self._models.clear()

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- a turn ---

    def ask(
        self,
        text: str,
        *,
        method: Method | None = None,
        settings: Settings | None = None,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> Generation:
        """Send the next message. It joins the conversation only when `keep` is called with its result.

        Exchanges that do not fit in the context are left out, the oldest first; raises PromptTooLong if
        the message alone is too long. `is_stopped` can end the run while the prompt is decoded.
        """
        method = self.model.method() if method is None else method
        settings = Settings() if settings is None else settings
        settings = conclusion.resolved(settings, method, text)
        settings, prompt = self._fitting(text, method, settings)
        n_prompt = len(prompt.tokens)
        context = self._context(n_prompt, method, settings)
        draft = self._context(n_prompt, method, settings, is_draft=True) if draft_kind(method) else None
        return Generation(
            self.model, text, method, settings, is_stopped=is_stopped, prompt=prompt, context=context,
            draft_context=draft,
        )  # fmt: skip

    def keep(self, solving: Generation, result: Result) -> None:
        """Add a message and its reply to the conversation."""
        self.exchanges.append(exchange(solving, result))

    def take_back(self) -> Exchange | None:
        """Remove the last exchange and return it; None if there is none."""
        self.n_left_out = max(0, min(self.n_left_out, len(self.exchanges) - 1))
        return self.exchanges.pop() if self.exchanges else None

    def clear(self) -> None:
        """Remove all messages."""
        self.exchanges.clear()
        self.n_left_out = 0

    # --- the prompt ---

    def _fitting(self, text: str, method: Method, settings: Settings) -> tuple[Settings, Prompt]:
        """The settings with as many earlier messages as leave room for a reply, and the rendered prompt."""
        length = self._length(method, settings)
        asked = settings.n_predict or self.model.source.defaults.n_predict
        enough = length // 4 if asked == AS_MANY_AS_FIT else min(asked, length // 4)
        for n_left_out in range(self.n_left_out, len(self.exchanges) + 1):
            is_all = n_left_out == len(self.exchanges)
            given = replace(settings, earlier=self._messages(n_left_out))
            prompt = prompting.build_prompt(self.model, text, given)
            n_prompt = len(prompt.tokens)
            # If something must go, half of it goes: otherwise every turn would lose the prefix cache.
            room = enough if n_left_out == self.n_left_out else length // 2
            try:
                fits = (
                    context_size.max_new_tokens(self.model, method, n_prompt, replace(given, n_predict=room))
                    >= room
                )
            except PromptTooLong:
                if is_all:
                    raise
                continue
            if fits or is_all:
                break
        self.n_left_out = n_left_out
        return given, prompt

    def _length(self, method: Method, settings: Settings) -> int:
        """The most tokens that a prompt and its reply can have together."""
        return min(self.model.llama.n_ctx_train, context_size.n_held(self.model, method, settings))

    def _messages(self, n_left_out: int) -> tuple[Message, ...]:
        messages: list[Message] = []
        for exchange in self.exchanges[n_left_out:]:
            messages += [
                {"role": "user", "content": exchange.sent},
                {"role": "assistant", "content": self._remembered(exchange)},
            ]
        return tuple(messages)

    def _remembered(self, exchange: Exchange) -> str:
        """A reply for the template: with its thought if that is in tags that the template handles."""
        template = self.model.llama.chat_template
        marks_are_text = not marks_of(self.model.llama).names
        if marks_are_text and template is not None and reasoning.is_known_to(template.source):
            return exchange.text
        return exchange.said

    # --- contexts ---

    def _context(
        self, n_prompt: int, method: Method, settings: Settings, *, is_draft: bool = False
    ) -> LanguageModel:
        """The context of the last turn, or a new one if that has other options or is too small."""
        model = self.model.require_draft() if is_draft else self.model
        n_tokens = context_size.max_new_tokens(self.model, method, n_prompt, settings)
        n_cells = context_size.n_ctx(self.model, method, n_prompt, n_tokens, settings)
        n_sequences = method.kv_demand.sequences + 1  # one more for the prefix cache
        needed = context_plan.context_options(
            n_sequences, n_cells, settings, is_draft=is_draft, layout=model.layout
        )
        held = self._contexts.get(is_draft)
        if held is not None:
            had = held.options
            is_same = needed == replace(had, n_ctx=needed.n_ctx, n_seq_max=needed.n_seq_max)
            if held.is_open and is_same and had.is_as_large_as(needed):
                return self._models[is_draft]
            held.close()
        room = max(0, self._length(method, settings) - n_prompt - n_tokens)
        roomy = n_prompt + min(max(n_prompt, HEADROOM), room)
        n_cells = context_size.n_ctx(self.model, method, roomy, n_tokens, settings)
        context = context_size.open_run_context(model, n_sequences, n_cells, settings, is_draft=is_draft)
        self._contexts[is_draft] = context
        self._models[is_draft] = PrefixCache(context) if context.n_seq_max > 1 else context
        return self._models[is_draft]
