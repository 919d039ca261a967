"""Where localsmc keeps files of the user's: what can be made again, what they set, what they said.

Each is the platform's own place, or an environment variable's. Nothing is created here.
"""

from __future__ import annotations

import os
from pathlib import Path

RESERVED = ("LOCALSMC_CACHE", "LOCALSMC_CONFIG", "LOCALSMC_DATA")
"""Variables that name folders; no option may have one of them."""


def cache_folder() -> Path:
    """What can be made again: `LOCALSMC_CACHE`, or the user's cache."""
    return _folder("LOCALSMC_CACHE", "user_cache_dir")


def config_folder() -> Path:
    """The configuration and the aliases of models: `LOCALSMC_CONFIG`, or the user's settings."""
    return _folder("LOCALSMC_CONFIG", "user_config_dir")


def data_folder() -> Path:
    """Conversations: `LOCALSMC_DATA`, or the user's data."""
    return _folder("LOCALSMC_DATA", "user_data_dir")


def expand_user(path: str | Path) -> Path:
    """A path with the user's home for `~`; a stranger's stays as it is written, and is not found."""
    return Path(os.path.expanduser(path))  # `Path.expanduser` raises for it


def _folder(variable: str, ours: str) -> Path:
    if given := os.environ.get(variable):
        return Path(given)
    import platformdirs  # takes milliseconds, which `--help` need not wait

    return Path(getattr(platformdirs, ours)("localsmc"))
