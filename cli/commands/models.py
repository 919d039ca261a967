"""`localsmc models`: which models there are, and getting, naming and deleting them."""

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

MODEL is a GGUF file, user/repo of the Hugging Face hub (user/repo:Q4_K_M, user/repo/file.gguf), an
embedded model's name, or an alias. What is downloaded goes to Hugging Face's own cache.
"""


_output = common_options.section("Output")
_json = _output("--json", "as_json", is_flag=True, default=False, help="As JSON.")
_hub = common_options.section("Hub")


@click.group(cls=common_options.CommandGroup, epilog=_EXAMPLES, invoke_without_command=True)
@_json
@click.pass_context
def models(ctx: click.Context, /, *, as_json: bool) -> None:
    """The models that are here, and those that could be. Alone it lists them."""
    if ctx.invoked_subcommand is None:
        # Not `ctx.invoke`, which reads no configuration.
        with list_.make_context("list", ["--json"] if as_json else [], parent=ctx) as inner:
            list_.invoke(inner)
    elif is_typed("as_json"):
        raise ConfigError(
            "`--json` goes behind the command", hint=f"localsmc models {ctx.invoked_subcommand} --json"
        )


@models.command(
    "list",
    cls=common_options.ConfigurableCommand,
    epilog=common_options.examples("localsmc models list", "localsmc models list --json"),
)
@_json
@click.pass_obj
def list_(session: CommandSession, /, *, as_json: bool = False) -> None:
    """List the models that are here, and aliases."""
    from localsmc.store import aliases
    from localsmc.store.inventory import inventory

    found = inventory()
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
    """A few models to begin with, by the memory they take."""
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
        'localsmc solve -m "$(localsmc models pull Qwen/Qwen3-4B-GGUF)" "What is 17 * 23?"',
    ),
)
@click.argument("name", metavar="MODEL", required=False, shell_complete=common_options.completed_as("MODEL"))
@model_options.hub_options(_hub)
@common_options.mode_options(_output)
@click.pass_obj
def pull(session: CommandSession, /, name: str | None, **given: Any) -> None:
    """Download a model, or go on with a broken download, and check it.

    Standard output has the path of the file, the first one of a split model.
    """
    from localsmc.gguf import reader
    from localsmc.store import hub, model_source

    output = session.output
    options = PullOptions(**given)
    output.set_modes(is_quiet=options.quiet, is_verbose=options.verbose)
    name = _named(name, "pull", "Qwen/Qwen2.5-0.5B-Instruct-GGUF")
    meant = model_source.parse_name(name)
    if not isinstance(meant, hub.HubName) or hub.cache.find(meant) is not None:
        output.note(f"`{name}` is here already")
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
    "-N", "--particles", type=CountType(1), metavar="N", default=16, help="For the memory.  [default: 16]"
)
@_output(
    "-c",
    "--ctx-size",
    "n_ctx",
    type=CountType(0),
    metavar="N",
    default=0,
    help="Tokens in memory, all particles together.  [default: 0, 1,024 for each]",
)
@click.pass_obj
def show(session: CommandSession, /, name: str | None, *, as_json: bool, particles: int, n_ctx: int) -> None:
    """What a model says of itself, and the memory it needs."""
    from localsmc.gguf.reader import read_header
    from localsmc.store.inventory import find

    header = read_header(find(_named(name, "show", "tiny")))
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
@_output("--rm", "remove", metavar="NAME", each_time="it is done once", help="Take this alias away.")
@_json
@click.pass_obj
def alias(
    session: CommandSession, /, name: str | None, model: str | None, *, remove: str | None, as_json: bool
) -> None:
    """Give a model a short name; alone it lists them."""
    from localsmc.store import aliases

    if remove is not None:
        if name is not None:
            raise ConfigError("`--rm` takes one alias away and sets none", hint=f"leave `{name}` out")
        session.output.note(f"`{remove}` no longer means {aliases.remove(remove)}")
    elif model is not None:
        _assign(session, str(name), model)
    else:
        known = aliases.read()
        if name is not None and name not in known:
            raise ConfigError(f"no alias is called `{name}`", hint=f"localsmc models alias {name} MODEL")
        shown = known if name is None else {name: known[name]}
        if as_json:
            session.output.json(shown)
        elif shown:
            session.output.text("\n".join(f"{short} -> {meant}" for short, meant in shown.items()))
        else:
            session.output.note("there is no alias; make one: localsmc models alias NAME MODEL")


@models.command(
    cls=common_options.ConfigurableCommand,
    epilog=common_options.examples(
        "localsmc models rm Qwen/Qwen3-4B-GGUF:Q4_K_M", "localsmc models rm Qwen/Qwen3-4B-GGUF:Q4_K_M -y"
    ),
)
@click.argument("name", metavar="MODEL", required=False, shell_complete=common_options.completed_as("MODEL"))
@_output("-y", "--yes", is_flag=True, default=False, each_time="it deletes files", help="Do not ask.")
@click.pass_obj
def rm(session: CommandSession, /, name: str | None, *, yes: bool) -> None:
    """Delete a model, or what a broken download left.

    Only what is in the Hugging Face cache is deleted, and files that another model shares are kept.
    """
    from localsmc.store import hub

    meant = _of_hub(_named(name, "rm", "user/repo:Q4_K_M"))
    found, partials = _only_one(meant), hub.cache.partials(meant)
    files = partials if found is None else [path.resolve() for path in found.paths]
    if not files:
        raise ModelNotFound(f"`{meant}` is not in the cache", hint="see what is: localsmc models list")
    what = f"what a broken download of {meant.repo} left" if found is None else str(found.name)
    size = format_bytes(sum(path.stat().st_size for path in files))
    if not yes and not _agreed(f"Delete {what} ({size})?"):
        session.output.note("nothing is deleted")
        return
    widows = [] if found is None else _aliases_of(found)
    try:
        hub.cache.remove_partials(meant) if found is None else hub.cache.remove(found)
    except OSError as error:
        raise RunError(f"{what} cannot be deleted: {error.strerror}", hint="mend its permissions") from error
    session.output.note(f"deleted {what}")
    for short in widows:
        session.output.warn(f"the alias `{short}` means it still: localsmc models alias --rm {short}")


# --- helpers --------------------------------------------------------------------------------------


def _named(name: str | None, command: str, example: str) -> str:
    if not name:
        raise ConfigError("no model is named", hint=f"for example: localsmc models {command} {example}")
    return name


def _assign(session: CommandSession, name: str, model: str) -> None:
    """Set an alias, to a model that there is, or may be on the hub."""
    import localsmc_models
    from localsmc.store import aliases, hub, model_source

    if name in localsmc_models.names():
        raise ConfigError(f"`{name}` is an embedded model", hint="take another name for the alias")
    meant = model if model in aliases.read() else model_source.parse_name(model)
    aliases.assign(name, str(meant.absolute()) if isinstance(meant, Path) else str(meant))
    session.output.note(f"{name} -> {aliases.read()[name]}")
    if os.path.exists(name):
        session.output.warn(f"there is a file `{name}` here, too, which wins in this folder")
    if isinstance(meant, hub.HubName) and hub.cache.find(meant) is None:
        session.output.note(f"it is not downloaded yet: localsmc models pull {name}")


def _of_hub(name: str) -> HubName:
    """The model of the hub that a name means, a file of the cache, too; raises ConfigError for others."""
    from localsmc.store import hub, model_source

    meant = model_source.parse_name(name)
    if isinstance(meant, Path):
        cached = [model.name for model in hub.cache.models() if meant.resolve() == model.path.resolve()]
        meant = cached[0] if cached else meant
    if isinstance(meant, str):
        raise ConfigError(f"`{name}` ships with localsmc", hint="it cannot be deleted alone")
    if isinstance(meant, Path):
        raise ConfigError(f"`{name}` is no model of the cache", hint="delete a file of yours yourself")
    return meant


def _only_one(name: HubName) -> CachedModel | None:
    """What the cache has; raises ConfigError for a bare repository of which it has several."""
    from localsmc.store import hub

    same = [str(model.name) for model in hub.cache.models() if model.name.repo == name.repo]
    if name.quantization is None and name.file is None and len(same) > 1:
        raise ConfigError(f"the cache has several of `{name}`", hint=f"say which: {', '.join(same)}")
    return hub.cache.find(name)


def _aliases_of(model: CachedModel) -> tuple[str, ...]:
    from localsmc.store.inventory import inventory

    return next((entry.aliases for entry in inventory() if entry.path == model.path), ())


def _agreed(question: str) -> bool:
    if not is_terminal(sys.stdin):
        raise ConfigError("deleting is asked for on a terminal, and there is none", hint="add `-y`")
    return click.confirm(question, err=True)
