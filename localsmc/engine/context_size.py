"""How large a context a run needs: the token limit, and KV cells for all histories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localsmc.engine import conclusion
from localsmc.engine.context_plan import cells_for, context_options
from localsmc.engine.settings import AS_MANY_AS_FIT, Settings
from localsmc.errors import ConfigError, PromptTooLong
from localsmc.llama import MAX_SEQUENCES, LlamaContext, open_context
from localsmc.lm.cache_layout import CacheLayout
from localsmc.lm.interface import LanguageModel
from localsmc.memory import estimate, gpu_offload, host
from localsmc.methods import Method
from localsmc.methods.base import draft_kind

if TYPE_CHECKING:
    from localsmc.engine.load import Model


MEMORY_SHARE = 0.5
"""The default context takes at most this share of free RAM; on a GPU, all that is left."""


def models_of(model: Model, method: Method) -> tuple[Model, ...]:
    """The model, and the draft model if the method uses one; raises ConfigError if it is missing."""
    return (model,) if draft_kind(method) is None else (model, model.require_draft())


def n_held(model: Model, method: Method, settings: Settings) -> int:
    """The most tokens that the context holds for one sequence, the prompt included."""
    trained = min(one.llama.n_ctx_train for one in models_of(model, method))
    if settings.n_ctx and _has_streams(model, method):
        return min(trained, settings.n_ctx // _n_streams(method))
    return settings.n_ctx or trained


def max_new_tokens(
    model: Model, method: Method, n_prompt: int, settings: Settings, *, context: LanguageModel | None = None
) -> int:
    """The token limit: what was asked for, or less if the context cannot hold the method's minimum.

    Pass the `context` if it is open: it may have more sequences than the method asks for, and then its
    streams are shorter. Raises PromptTooLong if not one token fits.
    """
    asked = settings.n_predict or model.source.defaults.n_predict
    trained, needed = min(one.llama.n_ctx_train for one in models_of(model, method)), method.kv_demand
    length, held = trained, n_held(model, method, settings)
    has_streams = _has_streams(model, method)
    if has_streams:
        length = held = held if context is None else min(held, context.n_length)
    elif settings.n_ctx:
        length = min(length, n_prompt + (settings.n_ctx - n_prompt) // needed.least)
    n_reserved = conclusion.n_reserved(model, settings)
    if settings.n_ctx or has_streams:
        length = min(length, held - max(0, n_reserved - needed.beside))
    room = min(length - n_prompt - needed.beside, trained - n_prompt - n_reserved)
    if room < 1:
        others = f", plus {needed.beside} for each of {needed.least} completions" if needed.beside else ""
        others += f", plus {n_reserved} to conclude the completion" if n_reserved else ""
        raise prompt_too_long(n_prompt, f" tokens{others}", held, trained, settings)
    return room if asked == AS_MANY_AS_FIT else min(asked, room)


def prompt_too_long(n_prompt: int, what: str, held: int, trained: int, settings: Settings) -> PromptTooLong:
    """The error for a prompt of so many tokens, and `what` comes to them, where the context holds fewer."""
    shorter = "shorten the problem" if settings.examples is None else "use fewer or shorter examples"
    more = f", or raise `--ctx-size`, up to the {trained} tokens that the model was trained on"
    most = f": the model was trained on texts of up to {trained} tokens"
    return PromptTooLong(
        f"the prompt has {n_prompt}{what}, but the context holds {min(trained, held)}",
        hint=shorter + (more if max(held, n_prompt) < trained else most),
    )


def n_ctx(
    model: Model,
    method: Method,
    n_prompt: int,
    n_tokens: int,
    settings: Settings,
    *,
    n_sequences: int | None = None,
) -> int:
    """The size of the KV cache in tokens: the settings' own, or chosen by need and free memory.

    `n_sequences` is given if the context has more sequences than the method asks for.
    """
    if settings.n_ctx:
        return settings.n_ctx
    models, needed = models_of(model, method), method.kv_demand
    n_reserved = conclusion.n_reserved(model, settings)
    # Texts are concluded after the run, when the method's own prompts are gone.
    n_more = max(0, n_reserved - needed.beside)
    if _has_streams(model, method):
        longest = n_prompt + n_tokens + n_more + needed.beside
        n_streams = _n_streams(method) if n_sequences is None else n_sequences
        return n_streams * estimate.padded(longest)
    wanted = cells_for(needed, needed.texts, n_prompt, n_tokens + n_more)
    # RAM has other users; of a GPU everything but a margin is used.
    left = {"": MEMORY_SHARE * host.available().free}
    left |= {gpu.name: float(gpu.free - gpu_offload.MARGIN) for one in models for gpu in one.llama.gpus}
    context = context_options(needed.sequences, wanted, settings)
    affordable = gpu_offload.cells_left([(one.header, one.placement) for one in models], context, left)
    least = max(n_prompt + n_tokens + n_reserved, cells_for(needed, needed.least, n_prompt, n_tokens))
    return estimate.padded(max(least, min(wanted, affordable)))


def open_run_context(
    model: Model, n_sequences: int, n_cells: int, settings: Settings, *, is_draft: bool = False
) -> LlamaContext:
    """Open a context with up to `n_sequences` sequences and `n_cells` KV cells."""
    options = context_options(n_sequences, n_cells, settings, is_draft=is_draft, layout=model.layout)
    return open_context(model.llama, options)


def require_sequences(model: Model, method: Method) -> None:
    """Raise ConfigError if the method needs several sequences, and llama.cpp can decode only one."""
    if method.kv_demand.sequences == 1:
        return
    for one in models_of(model, method):
        if one.layout is CacheLayout.SINGLE:
            raise ConfigError(
                f"`{method.name}` decodes several sequences, which llama.cpp cannot do for models of the"
                f" architecture `{one.header.architecture}`",
                hint="use `--method greedy`, or `--method sample --particles 1`",
            )


def _has_streams(model: Model, method: Method) -> bool:
    return any(not one.layout.is_unified for one in models_of(model, method))


def _n_streams(method: Method) -> int:
    """Sequences of a run, each with cells of its own, and one for what is kept between runs."""
    return min(MAX_SEQUENCES, method.kv_demand.sequences + 1)
