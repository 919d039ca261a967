"""A conversation with a model: any method for any turn, and one memory of what was said.

The prompt of a turn is decoded from where it parts from the last one's, which stays in the cache: the
last reply and the new message, as a rule. It has all of the conversation that the context has room for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from localsmc.engine import context_plan, context_size, prompting
from localsmc.engine.load import Model
from localsmc.engine.prompting import Prompt
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
"""Tokens, at least, by which a conversation may grow before it needs a larger context."""


def exchange(solving: Generation, result: Result) -> Exchange:
    """What was asked and replied, as a transcript has it."""
    return Exchange(
        user=solving.problem,
        text=result.text,
        instruction=prompting.instruction_of(solving.model, solving.settings),
        closing=solving.closing,
        about=about(result),
    )


class Conversation:
    """What was said so far, and the contexts that remember it. Close it, or use it in a `with`."""

    def __init__(self, model: Model, exchanges: Iterable[Exchange] = ()) -> None:
        self.model = model
        self.exchanges = list(exchanges)
        self.n_left_out = 0
        """The first exchanges that the last prompt had no room for."""
        self._contexts: dict[bool, LlamaContext] = {}
        self._kept: dict[bool, LanguageModel] = {}
        """The target's context and the draft's (True), and what stands in front of them."""

    def close(self) -> None:
        """Free the contexts; the next turn opens others."""
        for context in self._contexts.values():
            context.close()
        self._contexts.clear()
        self._kept.clear()

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
        """Put the next message to the model; `keep` its result, or it is as if it had never been asked.

        What the context has no room for is left out, the oldest first; raises PromptTooLong where the
        message alone is too long. `is_stopped` may stop it within the prompt.
        """
        method = self.model.method() if method is None else method
        settings, prompt = self._fitting(text, method, Settings() if settings is None else settings)
        n_prompt = len(prompt.tokens)
        context = self._context(n_prompt, method, settings)
        draft = self._context(n_prompt, method, settings, is_draft=True) if draft_kind(method) else None
        return Generation(
            self.model, text, method, settings, is_stopped=is_stopped, prompt=prompt, context=context,
            draft_context=draft,
        )  # fmt: skip

    def keep(self, solving: Generation, result: Result) -> None:
        """Make a message and the reply to it part of the conversation."""
        self.exchanges.append(exchange(solving, result))

    def take_back(self) -> Exchange | None:
        """Forget the last exchange, and return it; None where there is none."""
        self.n_left_out = max(0, min(self.n_left_out, len(self.exchanges) - 1))
        return self.exchanges.pop() if self.exchanges else None

    def clear(self) -> None:
        """Forget all that was said."""
        self.exchanges.clear()
        self.n_left_out = 0

    # --- what the model is given of it ---

    def _fitting(self, text: str, method: Method, settings: Settings) -> tuple[Settings, Prompt]:
        """The settings with as many earlier messages as leave room for a reply, and the prompt."""
        length = self._length(settings)
        asked = settings.n_predict or self.model.source.defaults.n_predict
        enough = length // 4 if asked == AS_MANY_AS_FIT else min(asked, length // 4)
        for n_left_out in range(self.n_left_out, len(self.exchanges) + 1):
            is_all = n_left_out == len(self.exchanges)
            given = replace(settings, earlier=self._messages(n_left_out))
            prompt = prompting.build_prompt(self.model, text, given)
            n_prompt = len(prompt.tokens)
            # Where something has to go, half goes: else the cache would be lost at every turn.
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

    def _length(self, settings: Settings) -> int:
        """Tokens that a prompt and its reply have together, at most."""
        trained = self.model.llama.n_ctx_train
        return min(trained, settings.n_ctx or trained)

    def _messages(self, n_left_out: int) -> tuple[Message, ...]:
        messages: list[Message] = []
        for exchange in self.exchanges[n_left_out:]:
            messages += [
                {"role": "user", "content": exchange.sent},
                {"role": "assistant", "content": self._remembered(exchange)},
            ]
        return tuple(messages)

    def _remembered(self, exchange: Exchange) -> str:
        """A reply as the template is given it: with its thought where the template has a place for that."""
        template = self.model.llama.chat_template
        if template is not None and reasoning.is_known_to(template.source):
            return exchange.text
        return reasoning.reply(exchange.text, exchange.closing)

    # --- where it is remembered ---

    def _context(
        self, n_prompt: int, method: Method, settings: Settings, *, is_draft: bool = False
    ) -> LanguageModel:
        """The context of the last turn, where it is as this one needs it and large enough; else another."""
        model = self.model.require_draft() if is_draft else self.model
        n_tokens = context_size.max_new_tokens(self.model, method, n_prompt, settings)
        n_cells = context_size.n_ctx(self.model, method, n_prompt, n_tokens, settings)
        needed = context_plan.context_options(method.room.sequences + 1, n_cells, settings, is_draft=is_draft)
        held = self._contexts.get(is_draft)
        if held is not None:
            had = held.options
            is_same = needed == replace(had, n_ctx=needed.n_ctx, n_seq_max=needed.n_seq_max)
            is_large = had.n_ctx >= needed.n_ctx and had.n_seq_max >= needed.n_seq_max
            if held.is_open and is_same and is_large:
                return self._kept[is_draft]
            held.close()
        room = max(0, self._length(settings) - n_prompt - n_tokens)
        roomy = n_prompt + min(max(n_prompt, HEADROOM), room)
        n_cells = context_size.n_ctx(self.model, method, roomy, n_tokens, settings)
        context = context_size.open_run_context(
            model, method.room.sequences + 1, n_cells, settings, is_draft=is_draft
        )
        self._contexts[is_draft] = context
        self._kept[is_draft] = PrefixCache(context) if context.n_seq_max > 1 else context
        return self._kept[is_draft]
