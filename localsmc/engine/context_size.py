"""How a problem lies in a model's memory: the prompt's tokens, room for the answer, cells for histories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from localsmc.engine.settings import AS_MANY_AS_FIT, Settings
from localsmc.errors import ConfigError, PromptTooLong
from localsmc.llama import MAX_SEQUENCES, ContextOptions, LlamaContext
from localsmc.lm.interface import TokenIds
from localsmc.memory import estimate, gpu_offload, host
from localsmc.methods import Method, Room
from localsmc.methods.base import pair_of
from localsmc.text import chat_template

if TYPE_CHECKING:
    from localsmc.engine.load import Model
    from localsmc.gguf.reader import Header

MEMORY_SHARE = 0.5
"""The default context takes at most this share of the machine's free memory; of a GPU's, what is left."""

PROMPT_GUESS = 1024
"""Tokens of a prompt that nobody has read yet."""


def put(model: Model, problem: str, settings: Settings, *, is_problem: bool = True) -> tuple[str, TokenIds]:
    """The prompt that puts a problem to a model, as text and as tokens; ConfigError for an empty one.

    Other requests than problems have no instruction added; nor have those whose answer keeps to a grammar.
    """
    if not problem.strip():
        raise ConfigError("the problem is empty", hint='for example: localsmc solve "What is 17 * 23?"')
    instruction = instruction_of(model, settings) if is_problem else None
    parts = _parts(model, problem, settings, instruction)
    tokens = np.concatenate([model.llama.tokenize(text, special=special) for text, special in parts])
    if not len(tokens):
        raise ConfigError("the problem has no tokens", hint="write a few words")
    return "".join(text for text, _ in parts), model.llama.with_bos(tokens)


def instruction_of(model: Model, settings: Settings) -> str | None:
    """What is asked for below a problem."""
    is_asked = settings.instruct and not settings.raw and not settings.is_restricted
    return model.source.defaults.instruction if is_asked else None


def _parts(model: Model, problem: str, settings: Settings, instruction: str | None) -> list[tuple[str, bool]]:
    """The prompt's text in parts, (text, whether control tokens may be read in it)."""
    llama = model.llama
    if settings.raw:
        return [(problem, False)]
    messages = chat_template.conversation(problem, settings.system, instruction, settings.earlier)
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
    wanted = _wanted(needed, needed.texts, n_prompt, n_tokens)
    # The machine's memory has other uses; a GPU's is ours, up to a margin.
    left = {"": MEMORY_SHARE * host.memory().free}
    left |= {gpu.name: float(gpu.free - gpu_offload.MARGIN) for one in models for gpu in one.llama.gpus}
    context = context_options(needed.sequences, wanted, settings)
    affordable = gpu_offload.cells_left([(one.header, one.placement) for one in models], context, left)
    return estimate.padded(max(_wanted(needed, needed.least, n_prompt, n_tokens), min(wanted, affordable)))


def _wanted(room: Room, n_texts: int, n_prompt: int, n_tokens: int) -> int:
    """Cells for so many texts that share their prompt only."""
    return n_prompt + (n_tokens + room.beside) * min(n_texts, MAX_SEQUENCES)


def planned(header: Header, n_predict: int, methods: Sequence[Method], settings: Settings) -> ContextOptions:
    """The context that a model will be given, as far as it is known before the model is loaded.

    A cache whose size is left open takes no more than the weights: past that, layers on a GPU are worth more.
    """
    asked, trained = settings.n_predict or n_predict, estimate.number(header, "context_length")
    n_tokens = trained if asked == AS_MANY_AS_FIT else min(asked, trained)
    sizes = [_wanted(method.room, method.room.texts, PROMPT_GUESS, n_tokens) for method in methods]
    least = min(_wanted(method.room, method.room.least, PROMPT_GUESS, n_tokens) for method in methods)
    per_cell = estimate.bytes_per_cell(header, settings.type_k, settings.type_v)
    n_cells = min(max(sizes), max(least, int(header.size / max(1.0, per_cell))))
    n_sequences = max(method.room.sequences for method in methods)
    return context_options(n_sequences, settings.n_ctx or estimate.padded(n_cells), settings)


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
