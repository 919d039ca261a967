"""What a parsed command line means to the library."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from localsmc.errors import ConfigError
from localsmc_cli.config.provenance import origin
from localsmc_cli.inputs.problem_text import checked_text, file_text

if TYPE_CHECKING:
    from localsmc.engine.settings import Settings
    from localsmc.llama import LoadOptions
    from localsmc.store.hub import Access, Transfer

Given = Mapping[str, Any]
"""A parsed command line: option to value, None where it was not given."""


def _given_of(given: Given, names: Sequence[str]) -> dict[str, Any]:
    return {name: given[name] for name in names if given[name] is not None}


def access_of(given: Given, progress: Callable[[Transfer], None] | None = None) -> Access:
    """How the hub is reached."""
    from localsmc.store.hub import Access

    return Access(token=given["hf_token"] or None, offline=is_offline(given), progress=progress)


def is_offline(given: Given) -> bool:
    """Whether nothing may be downloaded."""
    return bool(given["offline"])


def load_options(given: Given) -> LoadOptions:
    """How to load the model."""
    from localsmc.llama import LoadOptions

    names = ("n_gpu_layers", "main_gpu", "split_mode", "tensor_split")
    return LoadOptions(check_memory=not given["no_memory_check"], **_given_of(given, names))


def draft_load_options(given: Given) -> LoadOptions:
    """How to load the draft: on the same devices, with its own number of layers."""
    return load_options({**given, "n_gpu_layers": given["n_gpu_layers_draft"]})


def _grammar(given: Given) -> str | None:
    text: str | None = given.get("grammar")
    if text is None or not text.strip() or "::=" in text:
        return None if text is None else checked_text(text, "`--grammar`")
    return file_text(text, "the grammar", "--grammar")


def _json_schema(given: Given) -> str | None:
    text, file = given.get("json_schema"), given.get("json_schema_file")
    if text is not None and file is not None:
        raise ConfigError("the JSON schema is given twice", hint="leave `-j` or `-jf` out")
    if text is not None and text.lstrip()[:1] in ("", "{", "["):
        return checked_text(text, "`--json-schema`")
    path: str | None = file if text is None else text
    return None if path is None else file_text(path, "the JSON schema", "--json-schema")


def settings_of(given: Given) -> Settings:
    """How to put and answer the problem."""
    from localsmc.engine.settings import Settings

    ctx = click.get_current_context()
    for text in given["stop"]:
        if not checked_text(text, origin(ctx, "stop")):
            raise ConfigError(f"{origin(ctx, 'stop')} is empty", hint="give a text, or leave it out")
    if given["system"] is not None:
        checked_text(given["system"], origin(ctx, "system"))
    plain = ("n_predict", "select", "system", "raw", "stop", "stop_at_box", "budget")
    context = ("n_ctx", "n_batch", "n_ubatch", "flash_attention", "type_k", "type_v")
    return Settings(
        grammar=_grammar(given),
        json_schema=_json_schema(given),
        seed=None if given["seed"] == -1 else given["seed"],
        thinking={"on": True, "off": False}.get(given["reasoning"]),
        n_threads=max(0, given["n_threads"] or 0),
        n_threads_draft=max(0, given["n_threads_draft"] or 0),
        **_given_of(given, plain + context),
    )
