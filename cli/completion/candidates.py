"""Completions for an unfinished word. Imports nothing slow."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from localsmc.errors import LocalSMCError
from localsmc_cli.options.base_command import Offer
from localsmc_cli.options.choices import METHOD_OPTIONS, RESAMPLING, SELECT

PATH = "path"
"""Type of an item that is a path: the shell must quote it, and a folder can be completed further."""


def methods(incomplete: str) -> list[CompletionItem[Any]]:
    """Methods; after a colon their options, and after `=` the values of some options."""
    name, colon, rest = incomplete.partition(":")
    if not colon:
        return _begun(METHOD_OPTIONS, incomplete)
    before, comma, part = rest.rpartition(",")
    key, equals, _ = part.partition("=")
    head = f"{name}:{before}{comma}"
    if equals:
        values = {"select": SELECT, "resampling": RESAMPLING}.get(key, ())
        return _begun([f"{head}{key}={value}" for value in values], incomplete)
    keys = [*METHOD_OPTIONS.get(name, "").split(), "select"] if name in METHOD_OPTIONS else []
    return _begun([f"{head}{key}=" for key in keys], incomplete)


def model_names(incomplete: str) -> list[CompletionItem[Any]]:
    """Model names that `-m` accepts, GGUF files, and folders that may contain some."""
    import localsmc_models
    from localsmc.store import aliases, pip_packages
    from localsmc.store.hub import cache
    from localsmc.store.other_programs import MODELS

    names = [*localsmc_models.names(), *pip_packages.NAMED]
    with contextlib.suppress(LocalSMCError, OSError):
        names += aliases.read()
    with contextlib.suppress(LocalSMCError, OSError):
        names += [str(model.name) for model in cache.models()]
    for program, models in MODELS.items():
        # Only if it can be meant: reading the lists of all packages takes a moment.
        if f"{program}:".startswith(incomplete[: len(program) + 1]):
            with contextlib.suppress(LocalSMCError, OSError):
                names += [model.name for model in models() if model.error is None]
    return [*_begun(names, incomplete), *_gguf_files(incomplete)]


def _gguf_files(incomplete: str) -> list[CompletionItem[Any]]:
    """GGUF files and folders, spelled as typed, `~` included."""
    folder, begun = os.path.split(incomplete)
    found = []
    with contextlib.suppress(OSError):
        for path in sorted(Path(os.path.expanduser(folder) or ".").iterdir()):
            is_hidden = path.name.startswith(".") and not begun.startswith(".")
            if not path.name.startswith(begun) or is_hidden:
                continue
            if path.is_dir() or path.suffix.lower() == ".gguf":
                found.append(os.path.join(folder, path.name) + os.sep * path.is_dir())
    return [CompletionItem(name, type=PATH) for name in found]


def profile_names(incomplete: str) -> list[CompletionItem[Any]]:
    """The built-in profiles, and those of the configuration file if it can be read."""
    from localsmc_cli.config.config_file import read
    from localsmc_cli.config.keys import PROFILES
    from localsmc_cli.config.profiles import BUILT_IN

    names = [*BUILT_IN]
    with contextlib.suppress(LocalSMCError):
        names += [name for name in read().values.get(PROFILES, ()) if name not in BUILT_IN]
    return _begun(names, incomplete)


def keys(ctx: click.Context, incomplete: str) -> list[CompletionItem[Any]]:
    """Keys for `config set`; command-specific keys only once a word is begun."""
    from localsmc_cli.config.keys import Known

    known = Known(ctx)
    shared: dict[str, None] = {}
    special: dict[str, None] = {}
    for table in known.tables():
        options = known.options(table)
        shared |= {key: None for key, option in options.items() if option.is_shared}
        special |= {f"{table}.{key}": None for key, option in options.items() if not option.each_time}
    return _begun([*shared, *(special if incomplete else ())], incomplete)


def commands(ctx: click.Context, incomplete: str) -> list[CompletionItem[Any]]:
    """The commands, each of which can have a table in the configuration."""
    from localsmc_cli.config.keys import Known

    return _begun(Known(ctx).tables(), incomplete)


def _begun(words: Iterable[str], incomplete: str) -> list[CompletionItem[Any]]:
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def _of_type(name: str) -> Offer:
    """Items that the shell itself completes."""
    return lambda _, incomplete: [CompletionItem(incomplete, type=name)]


CANDIDATES: dict[str, Offer] = {
    "COMMAND": commands,
    "FILE": _of_type("file"),
    "FILE|-": _of_type("file"),
    "FOLDER": _of_type("dir"),
    "KEY": keys,
    "METHOD": lambda _, incomplete: methods(incomplete),
    "MODEL": lambda _, incomplete: model_names(incomplete),
    "NAME|FILE": _of_type("file"),
    "PROFILE": lambda _, incomplete: profile_names(incomplete),
}
"""Completions by the metavar of an option or argument."""
