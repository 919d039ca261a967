"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from localsmc.errors import RunError


def write_whole(path: Path, text: str, *, hint: str = "make room, or give a file elsewhere") -> None:
    """What was there before stays until all of the text is written; raises RunError."""
    target = path.resolve()
    # A pipe or a device cannot be put in the place of another.
    is_replaced = target.is_file() or not target.exists()
    draft = target.with_name(f".{target.name}.{os.getpid()}") if is_replaced else target
    try:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(text.encode(errors="replace"))
            if target.is_file():
                shutil.copymode(target, draft)
            if is_replaced:
                os.replace(draft, target)
        finally:
            if is_replaced:
                draft.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"`{path}` cannot be written: {error.strerror}", hint=hint) from error
