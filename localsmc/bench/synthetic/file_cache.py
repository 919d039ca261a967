"""Models of random weights in the cache folder: each is written once, whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from localsmc.bench.synthetic.file_spec import FileSpec
from localsmc.bench.synthetic.gguf_writer import OnProgress, file_bytes, write, write_draft
from localsmc.bench.synthetic.shapes import PAIRS
from localsmc.errors import RunError
from localsmc.system.user_dirs import cache_folder

VERSION = 3
"""Part of a cached file's name; raise it when `synthetic.write` makes other files."""

_ELSEWHERE = "set LOCALSMC_CACHE to a folder on another disk"


def cached(spec: FileSpec, *, seed: int = 1, progress: OnProgress | None = None) -> Path:
    """The file in the cache folder (`LOCALSMC_CACHE`, or the user's), written where it is not there.

    `progress` is told the bytes of tensors that are written, and of all; where the file is there, nothing.
    Raises RunError where it cannot be written, and then leaves nothing behind, as when it is interrupted.
    """
    return _in_cache(_stem(spec, seed), spec, lambda path: write(path, spec, seed=seed, progress=progress))


def cached_pair(spec: FileSpec, *, seed: int = 1) -> tuple[Path, Path]:
    """Target and draft in the cache folder, as `cached`; KeyError for a shape that has no pair."""
    pair = PAIRS[spec.name]
    stem = f"{_stem(spec, seed)}-{pair.n_layer}-{pair.later:g}-{pair.sharpness:g}"
    target = _in_cache(f"{stem}-target", spec, lambda path: write(path, spec, seed=seed, pair=pair))
    draft = _in_cache(f"{stem}-draft", spec, lambda path: write_draft(path, spec, pair, seed=seed))
    return target, draft


def _stem(spec: FileSpec, seed: int) -> str:
    return f"{spec.name}-{spec.quantization}-{spec.shape.n_vocab}-{seed}"


def _in_cache(stem: str, spec: FileSpec, write_to: Callable[[Path], None]) -> Path:
    path = cache_folder() / "synthetic" / f"{stem}-v{VERSION}.gguf"
    # Another process may do the same: each writes a file of its own, and the last one stays.
    partial = path.with_suffix(f".{os.getpid()}.partial")
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _require_room(path, file_bytes(spec))
            write_to(partial)
            partial.replace(path)
    except BrokenPipeError:  # nobody reads the progress any more: no disk says that
        raise
    except OSError as error:
        raise RunError(
            f"`{path}` cannot be written: {error.strerror or error}", hint=f"make room, or {_ELSEWHERE}"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()
    return path


def _require_room(path: Path, needed: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise RunError(
            f"`{path}` will need {needed / 1e9:.2f} GB, and {free / 1e9:.2f} GB are free",
            hint=f"make room in `{path.parent}`, or {_ELSEWHERE}",
        )
