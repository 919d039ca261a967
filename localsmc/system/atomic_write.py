"""Write files atomically."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from localsmc.errors import RunError


def write_whole(path: Path, text: str, *, hint: str = "free some space, or choose another path") -> None:
    """Write the text to a file, which keeps its old content until all is written; raises RunError."""
    replace_whole(path, text.encode(errors="replace"), hint=hint)


def replace_whole(path: Path, data: bytes, *, hint: str) -> None:
    """The same for bytes."""
    target = path.resolve()
    # A pipe or a device cannot be replaced by renaming: write to it directly.
    is_replaced = target.is_file() or not target.exists()
    draft = target.with_name(f".{target.name}.{os.getpid()}") if is_replaced else target
    try:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(data)
            if target.is_file():
                shutil.copymode(target, draft)
            if is_replaced:
                os.replace(draft, target)
        finally:
            if is_replaced:
                draft.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"`{path}` cannot be written: {error.strerror}", hint=hint) from error
