"""Synthetic models in the cache folder; each file is written once, atomically."""

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
"""Part of a cached file's name; increase it when `gguf_writer.write` produces different files."""

_ELSEWHERE = "set LOCALSMC_CACHE to a folder on another disk"


def cached(spec: FileSpec, *, seed: int = 1, progress: OnProgress | None = None) -> Path:
    """The file's path in the cache folder (`LOCALSMC_CACHE`, or the user's); writes it if it is missing.

    `progress` receives the bytes of tensors written so far, and in total; it is not called if the file
    exists. Raises RunError if the file cannot be written. After an error or interrupt no file is left.
    """
    return _in_cache(_stem(spec, seed), spec, lambda path: write(path, spec, seed=seed, progress=progress))


def cached_pair(spec: FileSpec, *, seed: int = 1) -> tuple[Path, Path]:
    """Paths of target and draft, as in `cached`; raises KeyError for a shape without a pair."""
    pair = PAIRS[spec.name]
    stem = f"{_stem(spec, seed)}-{pair.n_layer}-{pair.later:g}-{pair.sharpness:g}"
    target = _in_cache(f"{stem}-target", spec, lambda path: write(path, spec, seed=seed, pair=pair))
    draft = _in_cache(f"{stem}-draft", spec, lambda path: write_draft(path, spec, pair, seed=seed))
    return target, draft


def _stem(spec: FileSpec, seed: int) -> str:
    return f"{spec.name}-{spec.quantization}-{spec.shape.n_vocab}-{seed}"


def _in_cache(stem: str, spec: FileSpec, write_to: Callable[[Path], None]) -> Path:
    path = cache_folder() / "synthetic" / f"{stem}-v{VERSION}.gguf"
    # Several processes may do this at once: each writes a separate file, and the last one wins.
    partial = path.with_suffix(f".{os.getpid()}.partial")
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _require_room(path, file_bytes(spec))
            write_to(partial)
            partial.replace(path)
    except BrokenPipeError:  # from writing the progress, not the file
        raise
    except OSError as error:
        raise RunError(
            f"`{path}` cannot be written: {error.strerror or error}", hint=f"free disk space, or {_ELSEWHERE}"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()
    return path


def _require_room(path: Path, needed: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise RunError(
            f"`{path}` needs {needed / 1e9:.2f} GB, but only {free / 1e9:.2f} GB are free",
            hint=f"free disk space in `{path.parent}`, or {_ELSEWHERE}",
        )
