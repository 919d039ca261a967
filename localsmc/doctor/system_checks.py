"""Check the system: Python, memory, folders, and optional packages."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from localsmc.doctor.finding import Status, Verdict
from localsmc.memory import host
from localsmc.store.hub import cache as hub_cache
from localsmc.system import user_dirs
from localsmc.system.humanize import format_bytes
from localsmc.version import __version__

TESTED = (3, 10)
"""The oldest supported Python version."""

SCARCE = 2**30
"""Free bytes below which the disk of a model folder is considered nearly full."""

OPTIONAL = {"pyarrow": "for problems in Parquet, pip install pyarrow"}
"""Optional packages: purpose and install command."""


def python() -> Verdict:
    """The versions of Python and localsmc."""
    line = (
        f"{platform.python_version()} on {platform.system()} {platform.machine()}, localsmc {__version__}"
        f" in {Path(__file__).parents[1]}"
    )
    if sys.version_info[:2] < TESTED:
        return Verdict("broken", line, f"use Python {'.'.join(map(str, TESTED))} or newer")
    return Verdict("ok", line)


def memory() -> Verdict:
    """Total and free memory, within the limits of a container."""
    found = host.available()
    limit = " (a container's limit)" if found.is_limited else ""
    return Verdict("ok", f"{format_bytes(found.free)} of {format_bytes(found.total)} free{limit}")


def cache() -> Verdict:
    """The cache folder."""
    return _folder(user_dirs.cache_folder(), "LOCALSMC_CACHE", "broken", is_large=True)


def config() -> Verdict:
    """The configuration folder; a read-only folder is only a warning."""
    return _folder(user_dirs.config_folder(), "LOCALSMC_CONFIG", "warning")


def data() -> Verdict:
    """The folder of saved conversations."""
    return _folder(user_dirs.data_folder(), "LOCALSMC_DATA", "warning")


def models() -> Verdict:
    """The Hugging Face hub cache."""
    return _folder(hub_cache.folder(), "HF_HUB_CACHE", "warning", is_large=True)


def packages() -> Verdict:
    """Optional packages; a missing one is not a problem."""
    found = (
        f"{name} {metadata.version(name)}" if find_spec(name) else f"{name} is not installed: {purpose}"
        for name, purpose in OPTIONAL.items()
    )
    return Verdict("ok", "; ".join(found))


def _folder(path: Path, variable: str, bad: Status, *, is_large: bool = False) -> Verdict:
    """Whether the folder is writable, and its free disk space."""
    existing = next(folder for folder in (path, *path.absolute().parents) if os.path.lexists(folder))
    hint = f"set {variable} to a writable folder"
    if not existing.is_dir():
        return Verdict(bad, f"{path}: {existing} is not a folder", hint)
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        return Verdict(bad, f"{path} cannot be written: {error.strerror or error}", hint)
    free = shutil.disk_usage(existing).free
    line = f"{path}, {'' if path.is_dir() else 'not created yet, '}{format_bytes(free)} free"
    if is_large and free < SCARCE:
        return Verdict("warning", line, f"free disk space, or set {variable} to a folder on another disk")
    return Verdict("ok", line)
