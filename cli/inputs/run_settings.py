"""From parsed options to the library's load options and settings."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import click

from localsmc.errors import ConfigError
from localsmc.system.text_file import read_text
from localsmc.system.user_dirs import expand_user
from localsmc_cli.config.provenance import is_typed, origin
from localsmc_cli.inputs.parsed_options import (
    ContextSizeOptions,
    DraftOptions,
    GrammarOptions,
    HubOptions,
    LimitOptions,
    LoadingOptions,
    PromptOptions,
    RawOptions,
)
from localsmc_cli.inputs.problem_text import checked_text

if TYPE_CHECKING:
    from localsmc.engine.settings import Box, Settings
    from localsmc.llama import LoadOptions
    from localsmc.store.hub import Access, Transfer
    from localsmc.text.examples import Examples


def _with_value(options: object, names: Sequence[str]) -> dict[str, Any]:
    """The options that have a value, by name."""
    return {name: value for name in names if (value := getattr(options, name)) is not None}


def access_of(options: HubOptions, progress: Callable[[Transfer], None] | None = None) -> Access:
    """How the hub is reached."""
    from localsmc.store.hub import Access

    return Access(token=options.hf_token or None, offline=options.offline, progress=progress)


def load_options(options: LoadingOptions) -> LoadOptions:
    """How to load the model."""
    from localsmc.llama import LoadOptions

    names = ("n_gpu_layers", "main_gpu", "split_mode", "tensor_split")
    return LoadOptions(
        check_memory=not options.no_memory_check,
        chat_template=_chat_template(options),
        **_with_value(options, names),
    )


def _chat_template(options: LoadingOptions) -> str | None:
    """The name of a template of llama.cpp, or the text of a Jinja template; raises ConfigError."""
    if options.chat_template is None:
        return None
    try:
        return _named_template(options.chat_template)
    except ConfigError as error:
        if is_typed("chat_template"):
            raise
        source = origin(click.get_current_context(), "chat_template")
        raise ConfigError(f"{source}: {error}", hint=error.hint) from None


def _named_template(given: str) -> str:
    from localsmc.llama import builtin_templates, check_template
    from localsmc.text.chat_template import check_jinja, is_jinja

    if not given:
        raise ConfigError("`--chat-template` is empty", hint="give a name or a file, or remove it")
    path = expand_user(given)
    is_file = path.exists() or os.sep in given or path.suffix[1:].isalpha()
    is_name = given in builtin_templates() or not is_file
    if is_jinja(given) or is_name:
        check_template(given)
        return given
    text = read_text(given, "the chat template", "--chat-template")
    check_jinja(text, f"`{given}`")
    return text


def draft_load_options(options: LoadingOptions, draft: DraftOptions) -> LoadOptions:
    """How to load the draft model: on the same devices, with its own number of layers."""
    from localsmc.llama import LoadOptions

    values = _with_value(options, ("main_gpu", "split_mode", "tensor_split"))
    if draft.n_gpu_layers_draft is not None:
        values["n_gpu_layers"] = draft.n_gpu_layers_draft
    return LoadOptions(check_memory=not options.no_memory_check, **values)


def _grammar(options: GrammarOptions) -> str | None:
    text = options.grammar
    if text is None or not text.strip() or "::=" in text:
        return None if text is None else checked_text(text, "`--grammar`")
    return read_text(text, "the grammar", "--grammar")


def _json_schema(options: GrammarOptions) -> str | None:
    text, file = options.json_schema, options.json_schema_file
    if text is not None and file is not None:
        raise ConfigError("the JSON schema is given twice", hint="remove `-j` or `-jf`")
    if text is not None and text.lstrip()[:1] in ("", "{", "["):
        return checked_text(text, "`--json-schema`")
    path = file if text is None else text
    return None if path is None else read_text(path, "the JSON schema", "--json-schema")


def settings_of(
    context: ContextSizeOptions,
    draft: DraftOptions | None,
    *,
    prompt: PromptOptions | None = None,
    limits: LimitOptions | None = None,
    grammar: GrammarOptions | None = None,
    seed: int = -1,
    select: str | None = None,
    raw: RawOptions | None = None,
) -> Settings:
    """How to put and answer a problem, by the groups of options that a command has."""
    from localsmc.engine.settings import Settings

    _check_texts(prompt, limits)
    if raw is not None and raw.raw:
        _check_raw()
    sizes = ("n_ctx", "n_batch", "n_ubatch", "flash_attention", "type_k", "type_v")
    ends = ("n_predict", "stop", "stop_at_box", "conclude", "budget")
    return Settings(
        grammar=None if grammar is None else _grammar(grammar),
        json_schema=None if grammar is None else _json_schema(grammar),
        seed=None if seed == -1 else seed,
        select=select,
        box=_box(prompt, raw),
        raw=raw is not None and raw.raw,
        special=raw is not None and raw.special,
        system=_system(prompt, raw),
        examples=None if prompt is None or prompt.examples is None else _examples(prompt.examples),
        thinking=_thinking(prompt, raw),
        n_threads=max(0, context.n_threads or 0),
        n_threads_draft=0 if draft is None else max(0, draft.n_threads_draft or 0),
        **_with_value(context, sizes),
        **({} if limits is None else _with_value(limits, ends)),
    )


def _box(prompt: PromptOptions | None, raw: RawOptions | None) -> Box:
    """The instruction; one that was not typed gives way to `--raw`."""
    box = "auto" if prompt is None or prompt.box is None else prompt.box
    return cast("Box", "off" if raw is not None and raw.raw and not is_typed("box") else box)


def _system(prompt: PromptOptions | None, raw: RawOptions | None) -> str | None:
    """The system message; one that was not typed gives way to `--raw`."""
    return None if prompt is None or (raw is not None and raw.raw) else prompt.system


def _thinking(prompt: PromptOptions | None, raw: RawOptions | None) -> bool | None:
    """The switch for reasoning; one that was not typed gives way to `--raw`."""
    if prompt is None or (raw is not None and raw.raw):
        return None
    return {"on": True, "off": False}.get(prompt.reasoning or "")


def _examples(file: str) -> Examples:
    from localsmc.engine.example_file import read_examples

    if not file:
        raise ConfigError("`--examples` is empty", hint="give a file, or remove it")
    return read_examples(expand_user(file))


def _check_raw() -> None:
    """Refuse what has no effect on a text that is sent as it is."""
    for name, what in (
        ("chat_template", "uses no chat template"),
        ("reasoning", "uses no chat template"),
        ("system", "sends no system message"),
    ):
        if is_typed(name):
            option = "--" + name.replace("_", "-")
            raise ConfigError(
                f"`--raw` {what}, so `{option}` has no effect", hint=f"remove `--raw` or `{option}`"
            )


def _check_texts(prompt: PromptOptions | None, limits: LimitOptions | None) -> None:
    ctx = click.get_current_context()
    for text in () if limits is None else limits.stop:
        if not checked_text(text, origin(ctx, "stop")):
            raise ConfigError(f"{origin(ctx, 'stop')} is empty", hint="give a text, or remove it")
    if prompt is not None and prompt.system is not None:
        checked_text(prompt.system, origin(ctx, "system"))
