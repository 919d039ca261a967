"""Text files that an option names, and bytes that are to be text."""

from __future__ import annotations

from pathlib import Path

from localsmc.errors import ConfigError
from localsmc.system.user_dirs import expand_user

LARGEST = 64 << 20
"""Bytes of the largest file that is read: any context holds less."""


def read_text(file: str | Path, what: str, option: str) -> str:
    """The text of a file with `what` that an option names; raises ConfigError if it is not a text file."""
    if not str(file):
        raise ConfigError(f"the name of the file with {what} is empty", hint=f"`{option}` takes a text file")
    path = Path(file)
    try:
        with expand_user(path).open("rb") as opened:
            data = opened.read(LARGEST + 1)  # a device can have no end
    except IsADirectoryError:
        raise ConfigError(
            f"`{path}` is a folder, not a file", hint=f"give the file that holds {what}"
        ) from None
    except (OSError, ValueError) as error:  # a zero in the name is a ValueError
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(
            f"the file `{path}` cannot be read: {why}", hint=f"`{option}` takes a text file"
        ) from error
    if len(data) > LARGEST:
        raise ConfigError(
            f"`{path}` is larger than {LARGEST >> 20} MiB", hint=f"give a shorter file with {what}"
        )
    return decoded(data, f"`{path}`", what)


def decoded(data: bytes, name: str, what: str) -> str:
    """The text of UTF-8 bytes; `name` says where they are from. Raises ConfigError if they are not text."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{name} is not UTF-8 text", hint="convert it to UTF-8") from None
    if "\0" in text:
        raise ConfigError(f"{name} is not text", hint=f"give a text file with {what}")
    # As llama.cpp does: the newline that ends a file is not part of the prompt.
    return text.removesuffix("\n").removesuffix("\r")
