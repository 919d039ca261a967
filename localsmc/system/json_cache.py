"""A small persistent cache of facts about files, stored as JSON in the cache folder."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from localsmc.errors import RunError
from localsmc.system.atomic_write import write_whole
from localsmc.system.user_dirs import cache_folder

_MAX_ENTRIES = 500


@dataclass(frozen=True, slots=True)
class JsonCache:
    """Maps strings to JSON values and keeps the newest 500 entries; an unreadable cache counts as empty."""

    name: str

    @property
    def path(self) -> Path:
        """The path of the cache file."""
        return cache_folder() / self.name

    def read(self) -> dict[str, object]:
        """All entries."""
        try:
            entries = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return entries if isinstance(entries, dict) else {}

    def add(self, new: Mapping[str, object]) -> None:
        """Add entries, all or none; if the file cannot be written, they are dropped."""
        entries = {key: value for key, value in self.read().items() if key not in new}
        newest = [*entries.items(), *new.items()][-_MAX_ENTRIES:]
        with contextlib.suppress(RunError):
            write_whole(self.path, json.dumps(dict(newest)))
