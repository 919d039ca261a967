"""Short names that the user gives to models, in a file of their configuration."""

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
    """Where they are."""
    return config_folder() / "aliases.json"


def read() -> dict[str, str]:
    """Alias to model, in alphabetical order; raises ConfigError for a file that is none of ours."""
    try:
        found = json.loads(file().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"the aliases in `{file()}` cannot be read", hint="mend or delete it") from error
    if not isinstance(found, dict) or not all(isinstance(model, str) for model in found.values()):
        raise ConfigError(f"`{file()}` is no list of aliases", hint="mend or delete it")
    return dict(sorted(found.items()))


def assign(name: str, model: str) -> None:
    """Give a model a name, which may have been another's; raises ConfigError or RunError."""
    if not _NAME.fullmatch(name) or name.lower().endswith(".gguf"):
        raise ConfigError(
            f"`{name}` is no name for an alias", hint="take letters, digits, `_`, `-` and `.`, as in qwen-7b"
        )
    changed = {**read(), name: model}
    follow(name, changed)
    _write(changed)


def remove(name: str) -> str:
    """Take a name away; returns the model that it meant. Raises ConfigError where there is none."""
    known = read()
    if name not in known:
        there = ", ".join(known) or "no alias at all"
        raise ConfigError(f"no alias is called `{name}`", hint=f"there is: {there}")
    model = known.pop(name)
    _write(known)
    return model


def follow(name: str, known: Mapping[str, str] | None = None) -> str:
    """What a name means in the end, itself where it is no alias; raises ConfigError for a circle."""
    known, seen = read() if known is None else known, [name]
    while seen[-1] in known:
        seen.append(known[seen[-1]])
        if seen[-1] in seen[:-1]:
            raise ConfigError(
                f"the alias `{name}` goes in a circle: {' -> '.join(seen)}",
                hint=f"give one of them a model: localsmc models alias {name} MODEL",
            )
    return seen[-1]


def _write(aliases: dict[str, str]) -> None:
    text = json.dumps(dict(sorted(aliases.items())), indent=2) + "\n"
    write_whole(file(), text, hint="set LOCALSMC_CONFIG to a folder of yours")
