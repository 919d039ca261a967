"""Where localsmc keeps files of the user's: what can be made again, what they set, what they said.

Each is the platform's own place, or an environment variable's. Nothing is created here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import platformdirs

RESERVED = ("LOCALSMC_CACHE", "LOCALSMC_CONFIG", "LOCALSMC_DATA")
"""Variables that name folders; no option may have one of them."""


def cache_folder() -> Path:
    """What can be made again: `LOCALSMC_CACHE`, or the user's cache."""
    return _folder("LOCALSMC_CACHE", platformdirs.user_cache_dir)


def config_folder() -> Path:
    """The configuration and the aliases of models: `LOCALSMC_CONFIG`, or the user's settings."""
    return _folder("LOCALSMC_CONFIG", platformdirs.user_config_dir)


def data_folder() -> Path:
    """Conversations: `LOCALSMC_DATA`, or the user's data."""
    return _folder("LOCALSMC_DATA", platformdirs.user_data_dir)


def _folder(variable: str, ours: Callable[[str], str]) -> Path:
    return Path(os.environ.get(variable) or ours("localsmc"))
