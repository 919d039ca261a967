"""How a problem lies in a model's memory: the prompt's tokens, room for the answer, cells for histories."""

from __future__ import annotations

import numpy as np
import psutil

from localsmc import prompts
from localsmc.errors import ConfigError, PromptTooLong
from localsmc.llama import MAX_SEQUENCES, ContextOptions, LlamaContext
from localsmc.loading import Model
from localsmc.methods import Method
from localsmc.methods.base import pair_of
from localsmc.model import TokenIds
from localsmc.settings import AS_MANY_AS_FIT, Settings

MEMORY_SHARE = 0.5
"""The default context takes at most this share of the free memory."""


def put(model: Model, problem: str, settings: Settings, *, is_problem: bool = True) -> tuple[str, TokenIds]:
    """The prompt that puts a problem to a model, as text and as tokens; ConfigError for an empty one.

    Other requests than problems have no instruction added; nor have those whose answer keeps to a grammar.
    """
    if not problem.strip():
        raise ConfigError("the problem is empty", hint='for example: localsmc solve "What is 17 * 23?"')
    has_instruction = is_problem and not settings.is_restricted
    instruction = model.source.defaults.instruction if has_instruction else None
    parts = _parts(model, problem, settings, instruction)
    tokens = np.concatenate([model.llama.tokenize(text, special=special) for text, special in parts])
    if not len(tokens):
        raise ConfigError("the problem has no tokens", hint="write a few words")
    return "".join(text for text, _ in parts), model.llama.with_bos(tokens)


def _parts(model: Model, problem: str, settings: Settings, instruction: str | None) -> list[tuple[str, bool]]:
    """The prompt's text in parts, (text, whether control tokens may be read in it)."""
    llama = model.llama
    if settings.raw:
        return [(problem, False)]
    messages = prompts.conversation(problem, settings.system, instruction)
    if llama.chat_template is None:
        # A base model: the problem as it is, its instruction below it.
        return [("\n\n".join(message["content"] for message in messages) + "\n", False)]
    return llama.chat_template.parts(messages, llama.control_texts, thinking=settings.thinking)


def models_of(model: Model, method: Method) -> tuple[Model, ...]:
    """The model, and the draft where the method has one; ConfigError where it needs one and none is given."""
    return (model,) if pair_of(method) is None else (model, model.require_draft())


def horizon(model: Model, method: Method, n_prompt: int, settings: Settings) -> int:
    """Tokens that an answer may have: what is asked for, where the least that the method needs fits."""
    asked = settings.n_predict or model.source.defaults.n_predict
    trained, needed = min(one.llama.n_ctx_train for one in models_of(model, method)), method.room
    length = trained
    if settings.n_ctx:
        length = min(length, n_prompt + (settings.n_ctx - n_prompt) // needed.least)
    room = length - n_prompt - needed.beside
    if room < 1:
        others = f", with {needed.beside} more for each of {needed.least} texts" if needed.beside else ""
        held = min(trained, settings.n_ctx or trained)
        raise PromptTooLong(
            f"the prompt has {n_prompt} tokens{others}, but the context holds {held}",
            hint="shorten the problem, or raise `--ctx-size` as far as the model was trained",
        )
    return room if asked == AS_MANY_AS_FIT else min(asked, room)


def cells(model: Model, method: Method, n_prompt: int, n_tokens: int, settings: Settings) -> int:
    """Cells for all histories of a run, where the settings leave it open."""
    if settings.n_ctx:
        return settings.n_ctx
    models, needed = models_of(model, method), method.room
    n_each = n_tokens + needed.beside
    wanted = n_prompt + n_each * min(needed.texts, MAX_SEQUENCES)
    per_cell = sum(one.llama.bytes_per_cell(settings.type_k, settings.type_v) for one in models)
    gpus = model.llama.gpus
    free = sum(gpu.free for gpu in gpus) if gpus else psutil.virtual_memory().available
    affordable = int(MEMORY_SHARE * free / max(1.0, per_cell))
    least = n_prompt + n_each * needed.least
    return padded(max(least, min(wanted, affordable)))


def padded(n_cells: int) -> int:
    """So many cells, as llama.cpp makes them: a multiple of 256."""
    return -(-n_cells // 256) * 256


def open_context(
    model: Model, n_sequences: int, n_cells: int, settings: Settings, *, is_draft: bool = False
) -> LlamaContext:
    """A context for runs of methods that would like so many sequences."""
    return model.llama.context(context_options(n_sequences, n_cells, settings, is_draft=is_draft))


def context_options(
    n_sequences: int, n_cells: int, settings: Settings, *, is_draft: bool = False
) -> ContextOptions:
    """Its sizes, with what the settings say of contexts."""
    return ContextOptions(
        n_ctx=n_cells,
        n_seq_max=min(MAX_SEQUENCES, n_sequences, settings.n_batch, n_cells),
        n_batch=settings.n_batch,
        n_ubatch=settings.n_ubatch,
        n_threads=settings.n_threads_draft if is_draft else settings.n_threads,
        flash_attention=settings.flash_attention,
        type_k=settings.type_k,
        type_v=settings.type_v,
    )
