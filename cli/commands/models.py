"""`localsmc models`: lists, downloads, names and deletes models."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from localsmc.errors import ConfigError, ModelNotFound, RunError
from localsmc.system.humanize import format_bytes
from localsmc_cli.config.provenance import is_typed
from localsmc_cli.inputs.downloads import download_progress
from localsmc_cli.inputs.parsed_options import HubOptions, ModeOptions
from localsmc_cli.options import common_options, model_options
from localsmc_cli.options.param_types import CountType
from localsmc_cli.ui.command_session import CommandSession
from localsmc_cli.ui.model_page import TOKENS, MemoryQuestion, catalogue, page, recommended_list, record
from localsmc_cli.ui.output import is_terminal

if TYPE_CHECKING:
    from localsmc.store.hub import CachedModel, HubName

_EXAMPLES = """\b
Examples:
  localsmc models
  localsmc models pull Qwen/Qwen2.5-0.5B-Instruct-GGUF:Q4_K_M

MODEL is a GGUF file, user/repo on the Hugging Face hub (user/repo:Q4_K_M, user/repo/file.gguf), the name
of an embedded model, an alias, ollama:NAME, lmstudio:NAME, or pip:PACKAGE. Downloads go to the Hugging Face
cache; models of ollama, LM Studio and pip are used where they are.
"""


_output = common_options.section("Output")
_json = _output("--json", "as_json", is_flag=True, default=False, help="Print JSON.")
_hub = common_options.section("Hub")


@click.group(cls=common_options.CommandGroup, epilog=_EXAMPLES, invoke_without_command=True)
@_json
@click.pass_context
def models(ctx: click.Context, /, *, as_json: bool) -> None:
    """List, download, name and delete models. Without a command, list them."""
    if ctx.invoked_subcommand is None:
        # Not `ctx.invoke`, which reads no configuration.
        with list_.make_context("list", ["--json"] if as_json else [], parent=ctx) as inner:
            list_.invoke(inner)
    elif is_typed("as_json"):
        raise ConfigError(
            "`--json` must come after the command", hint=f"localsmc models {ctx.invoked_subcommand} --json"
        )


@models.command(
    "list",
    cls=common_options.ConfigurableCommand,
    epilog=common_options.examples("localsmc models list", "localsmc models list --json"),
)
@_json
@click.pass_obj
def list_(session: CommandSession, /, *, as_json: bool = False) -> None:
    """List local models and aliases."""
    from localsmc.store import aliases, ollama
    from localsmc.store.inventory import inventory

    found = inventory()
    for folder in ollama.unreadable():
        session.output.warn(f"the models of ollama in `{folder}` are not listed: {ollama.LOCKED_HINT}")
    if as_json:
        session.output.json([entry.to_json() for entry in found])
    else:
        session.output.text(catalogue(found, aliases.read()))


@models.command(
    cls=common_options.ConfigurableCommand,
    epilog=common_options.examples("localsmc models recommended", "localsmc models recommended --json"),
)
@_json
@click.pass_obj
def recommended(session: CommandSession, /, *, as_json: bool) -> None:
    """List a few models to start with, by memory."""
    from localsmc.store.recommended import recommendations

    found = recommendations()
    if as_json:
        session.output.json([{"name": one.name, "bytes": round(one.memory), "why": one.why} for one in found])
    else:
        session.output.text(recommended_list(found))


@dataclass(kw_only=True, frozen=True)
class PullOptions(HubOptions, ModeOptions):
    """All options of `localsmc models pull`."""


@models.command(
    cls=common_options.ConfigurableCommand,
    epilog=common_options.examples(
        "localsmc models pull Qwen/Qwen3-4B-GGUF:Q4_K_M",
        "localsmc models pull Qwen/Qwen2.5-1.5B-Instruct-GGUF:Q4_K_M",
    ),
)
@click.argument("name", metavar="MODEL", required=False, shell_complete=common_options.completed_as("MODEL"))
@model_options.hub_options(_hub)
@common_options.mode_options(_output)
@click.pass_obj
def pull(session: CommandSession, /, name: str | None, **given: Any) -> None:
    """Download a model, or resume its download, and check it.

    Prints the path of the file to stdout; for a split model, that of the first part.
    """
    from localsmc.gguf import reader
    from localsmc.store import hub, model_source

    output = session.output
    options = PullOptions(**given)
    output.set_modes(is_quiet=options.quiet, is_verbose=options.verbose)
    name = _named(name, "pull", "Qwen/Qwen2.5-0.5B-Instruct-GGUF")
    meant = model_source.parse_name(name)
    if not isinstance(meant, hub.HubName) or hub.cache.find(meant) is not None:
        output.note(f"`{name}` is already downloaded")
    with download_progress(session, options) as access:
        path = model_source.resolve(name, access).path
    reader.read_header(path)
    output.text(str(path))


@models.command(
    cls=common_options.ConfigurableCommand,
    epilog=common_options.examples(
        "localsmc models show tiny", "localsmc models show tiny -N 64 -c 4096 --json"
    ),
)
@click.argument("name", metavar="MODEL", required=False, shell_complete=common_options.completed_as("MODEL"))
@_json
@_output(
    "-N",
    "--particles",
    type=CountType(1),
    metavar="N",
    default=16,
    help="Number of particles, to estimate memory.  [default: 16]",
)
@_output(
    "-c",
    "--ctx-size",
    "n_ctx",
    type=CountType(0),
    metavar="N",
    default=0,
    help="KV cache size in tokens, shared by all particles.  [default: 0 = 1,024 per particle]",
)
@click.pass_obj
def show(session: CommandSession, /, name: str | None, *, as_json: bool, particles: int, n_ctx: int) -> None:
    """Show a model's metadata and the memory it needs."""
    from localsmc.gguf.reader import read_header
    from localsmc.store.model_source import installed

    source = installed(_named(name, "show", "tiny"))
    header = read_header(source.path, title=source.title)
    memory = MemoryQuestion(particles, n_ctx or particles * TOKENS)
    if as_json:
        session.output.json(record(header, memory))
    else:
        session.output.text(page(header, memory))


@models.command(
    cls=common_options.ConfigurableCommand,
    epilog=common_options.examples("localsmc models alias small tiny", "localsmc models alias --rm small"),
)
@click.argument("name", required=False)
@click.argument("model", required=False, shell_complete=common_options.completed_as("MODEL"))
@_output("--rm", "remove", metavar="NAME", each_time="it is done once", help="Delete this alias.")
@_json
@click.pass_obj
def alias(
    session: CommandSession, /, name: str | None, model: str | None, *, remove: str | None, as_json: bool
) -> None:
    """Set a short name for a model, or list them."""
    from localsmc.store import aliases

    if remove is not None:
        if name is not None:
            raise ConfigError("`--rm` deletes one alias and takes no model", hint=f"remove `{name}`")
        session.output.note(f"deleted the alias `{remove}` of {aliases.remove(remove)}")
    elif model is not None:
        _assign(session, str(name), model)
    else:
        known = aliases.read()
        if name is not None and name not in known:
            raise ConfigError(
                f"no alias is called `{name}`", hint=f"to set it: localsmc models alias {name} MODEL"
            )
        shown = known if name is None else {name: known[name]}
        if as_json:
            session.output.json(shown)
        elif shown:
            session.output.text("\n".join(f"{short} -> {meant}" for short, meant in shown.items()))
        else:
            session.output.note("there are no aliases; to set one: localsmc models alias NAME MODEL")


@models.command(
    cls=common_options.ConfigurableCommand,
    epilog=common_options.examples(
        "localsmc models rm Qwen/Qwen3-4B-GGUF:Q4_K_M", "localsmc models rm Qwen/Qwen3-4B-GGUF:Q4_K_M -y"
    ),
)
@click.argument("name", metavar="MODEL", required=False, shell_complete=common_options.completed_as("MODEL"))
@_output(
    "-y",
    "--yes",
    is_flag=True,
    default=False,
    each_time="it deletes files",
    help="Do not ask for confirmation.",
)
@click.pass_obj
def rm(session: CommandSession, /, name: str | None, *, yes: bool) -> None:
    """Delete a model, or a partial download.

    Deletes files in the Hugging Face cache only, and keeps files that another model shares.
    """
    from localsmc.store import hub

    meant = _of_hub(_named(name, "rm", "user/repo:Q4_K_M"))
    found, partials = _only_one(meant), hub.cache.partials(meant)
    files = partials if found is None else [path.resolve() for path in found.paths]
    if not files:
        raise ModelNotFound(f"`{meant}` is not in the cache", hint="to see what is: localsmc models list")
    what = f"the partial download of {meant.repo}" if found is None else str(found.name)
    size = format_bytes(sum(path.stat().st_size for path in files))
    if not yes and not _agreed(f"Delete {what} ({size})?"):
        session.output.note("nothing was deleted")
        return
    dangling = [] if found is None else _aliases_of(found)
    try:
        hub.cache.remove_partials(meant) if found is None else hub.cache.remove(found)
    except OSError as error:
        raise RunError(f"{what} cannot be deleted: {error.strerror}", hint="check its permissions") from error
    session.output.note(f"deleted {what}")
    for short in dangling:
        session.output.warn(
            f"the alias `{short}` still refers to it; to delete it: localsmc models alias --rm {short}"
        )


# --- helpers --------------------------------------------------------------------------------------


def _named(name: str | None, command: str, example: str) -> str:
    if not name:
        raise ConfigError("no model is named", hint=f"for example: localsmc models {command} {example}")
    return name


def _assign(session: CommandSession, name: str, model: str) -> None:
    """Set an alias of a local model, or of one that may be on the hub."""
    import localsmc_models
    from localsmc.store import aliases, hub, model_source
    from localsmc.store.local_model import LocalModel

    if name in localsmc_models.names():
        raise ConfigError(f"`{name}` is an embedded model", hint="choose another name for the alias")
    meant = model if model in aliases.read() else model_source.parse_name(model)
    if isinstance(meant, LocalModel):
        aliases.assign(name, meant.name)
    else:
        aliases.assign(name, str(meant.absolute()) if isinstance(meant, Path) else str(meant))
    session.output.note(f"{name} -> {aliases.read()[name]}")
    if os.path.exists(name):
        session.output.warn(f"the file `{name}` in this folder takes precedence over the alias here")
    if isinstance(meant, hub.HubName) and hub.cache.find(meant) is None:
        session.output.note(f"it is not downloaded yet; to download it: localsmc models pull {name}")


def _of_hub(name: str) -> HubName:
    """The hub model that a name, or a file in the cache, refers to; raises ConfigError for others."""
    from localsmc.store import hub, model_source
    from localsmc.store.local_model import LocalModel

    meant = model_source.parse_name(name)
    if isinstance(meant, LocalModel):
        raise ConfigError(f"`{name}` was not downloaded by localsmc", hint=meant.removal)
    if isinstance(meant, Path):
        cached = [model.name for model in hub.cache.models() if meant.resolve() == model.path.resolve()]
        meant = cached[0] if cached else meant
    if isinstance(meant, str):
        raise ConfigError(f"`{name}` ships with localsmc", hint="it cannot be deleted on its own")
    if isinstance(meant, Path):
        raise ConfigError(f"`{name}` is not in the Hugging Face cache", hint="delete your own files yourself")
    return meant


def _only_one(name: HubName) -> CachedModel | None:
    """The cached model; raises ConfigError for a bare repository with several cached models."""
    from localsmc.store import hub

    same = [str(model.name) for model in hub.cache.models() if model.name.repo == name.repo]
    if name.quantization is None and name.file is None and len(same) > 1:
        raise ConfigError(f"the cache has several models of `{name}`", hint=f"choose from: {', '.join(same)}")
    return hub.cache.find(name)


def _aliases_of(model: CachedModel) -> tuple[str, ...]:
    from localsmc.store.inventory import inventory

    return next((entry.aliases for entry in inventory() if entry.path == model.path), ())


def _agreed(question: str) -> bool:
    if not is_terminal(sys.stdin):
        raise ConfigError("cannot ask for confirmation without a terminal", hint="add `-y`")
    return click.confirm(question, err=True)
