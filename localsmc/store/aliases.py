"""Aliases: short names that the user gives to models, stored in the configuration folder."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from localsmc.errors import ConfigError
from localsmc.system.atomic_write import write_whole
from localsmc.system.user_dirs import config_folder

_NAME = re.compile(r"\w[\w.-]*", re.ASCII)


def file() -> Path:
    """The path of the alias file."""
    return config_folder() / "aliases.json"


def read() -> dict[str, str]:
    """Alias to model, in alphabetical order; raises ConfigError if the file is not an alias file."""
    try:
        found = json.loads(file().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"the aliases in `{file()}` cannot be read", hint="fix or delete the file"
        ) from error
    if not isinstance(found, dict) or not all(isinstance(model, str) for model in found.values()):
        raise ConfigError(f"`{file()}` is not a table of aliases", hint="fix or delete the file")
    return dict(sorted(found.items()))


def assign(name: str, model: str) -> None:
    """Set an alias for a model, replacing an existing one; raises ConfigError or RunError."""
    if not _NAME.fullmatch(name) or name.lower().endswith(".gguf"):
        raise ConfigError(
            f"`{name}` is not a valid alias", hint="use letters, digits, `_`, `-` and `.`, e.g. qwen-7b"
        )
    changed = {**read(), name: model}
    follow(name, changed)
    _write(changed)


def remove(name: str) -> str:
    """Remove an alias and return the model it named; raises ConfigError if it does not exist."""
    known = read()
    if name not in known:
        hint = f"choose from: {', '.join(known)}" if known else "there are no aliases yet"
        raise ConfigError(f"no alias is called `{name}`", hint=hint)
    model = known.pop(name)
    _write(known)
    return model


def follow(name: str, known: Mapping[str, str] | None = None) -> str:
    """Resolve a chain of aliases; a name that is not an alias is returned unchanged.

    Raises ConfigError if the aliases form a cycle.
    """
    known, seen = read() if known is None else known, [name]
    while seen[-1] in known:
        seen.append(known[seen[-1]])
        if seen[-1] in seen[:-1]:
            raise ConfigError(
                f"the alias `{name}` refers to itself: {' -> '.join(seen)}",
                hint=f"point one of them at a model: localsmc models alias {name} MODEL",
            )
    return seen[-1]


def _write(aliases: dict[str, str]) -> None:
    text = json.dumps(dict(sorted(aliases.items())), indent=2) + "\n"
    write_whole(file(), text, hint="set LOCALSMC_CONFIG to a writable folder")
