"""The user's folders of localsmc: cache, configuration, and data (saved conversations).

Each is the platform's standard location unless an environment variable sets it. Nothing is created here.
"""

from __future__ import annotations

import os
from pathlib import Path

RESERVED = ("LOCALSMC_CACHE", "LOCALSMC_CONFIG", "LOCALSMC_DATA")
"""Environment variables for folders; options must not use these names."""


def cache_folder() -> Path:
    """Folder for files that can be recreated: `LOCALSMC_CACHE`, or the user's cache folder."""
    return _folder("LOCALSMC_CACHE", "user_cache_dir")


def config_folder() -> Path:
    """Folder for the configuration and model aliases: `LOCALSMC_CONFIG`, or the user's config folder."""
    return _folder("LOCALSMC_CONFIG", "user_config_dir")


def data_folder() -> Path:
    """Folder for conversations: `LOCALSMC_DATA`, or the user's data folder."""
    return _folder("LOCALSMC_DATA", "user_data_dir")


def expand_user(path: str | Path) -> Path:
    """Expand `~` to the home folder; the home of an unknown user stays unexpanded, and is not found."""
    return Path(os.path.expanduser(path))  # `Path.expanduser` would raise for an unknown user


def _folder(variable: str, function: str) -> Path:
    if value := os.environ.get(variable):
        return Path(value)
    import platformdirs  # takes milliseconds, which `--help` does not need to spend

    return Path(getattr(platformdirs, function)("localsmc"))
