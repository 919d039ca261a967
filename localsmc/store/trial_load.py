"""Test in a child process how llama.cpp can load a file, because it aborts on some files.

It aborts on damaged ones, and for some architectures if a cache holds several sequences: the trial finds the
layout of the cache that works. Owns the child process, its time limit and the record of files that loaded (by
path, size and modification time). Does not import llama.cpp: the trial itself is `llama.probe_load`, which
only the child imports. The file format was checked before, by `localsmc.gguf`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from localsmc.errors import ModelLoadFailed, ModelNotFound
from localsmc.gguf.header import Header
from localsmc.gguf.refusals import AGAIN
from localsmc.lm.cache_layout import CacheLayout
from localsmc.system.child_process import ChildProcess
from localsmc.system.json_cache import JsonCache
from localsmc.system.printable import printable

_SECONDS = 60.0  # to start Python, import the binding and load a small file on a busy machine
_BYTES_PER_SECOND = 20e6  # a slow network disk: the trial reads the whole file once
_SCHEMA = 2  # version of the cache file; increase it when the trial becomes stricter
_LOADED = JsonCache("probed.json")

_SERVE = "from localsmc.llama.trial_load_worker import serve; serve(replies)"

_LAYOUTS = tuple(CacheLayout)

Outcome = Literal["loaded", "refused", "died", "late"]


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The result of the trial load of one file; `message` and `hint` are empty if it loaded."""

    path: Path
    outcome: Outcome
    message: str = ""
    hint: str = ""
    layout: CacheLayout = CacheLayout.UNIFIED
    """If it loaded: the layout of the cache to use."""

    def check(self) -> None:
        """Raise ModelLoadFailed unless the file loaded."""
        if self.outcome != "loaded":
            raise ModelLoadFailed(self.message, hint=self.hint or None)


def ensure_loadable(path: Path, header: Header) -> CacheLayout:
    """The layout of the cache to use for the file; raises ModelLoadFailed if llama.cpp cannot load it.

    The file is loaded in a child process, unless it has loaded before and is unchanged since. Failures
    are not cached: they are rare, and their cause may be outside the file.
    """
    key, stamp = str(path.resolve()), _stamp(header)
    known = _LOADED.read().get(key)
    if isinstance(known, dict) and known.get("stamp") == stamp and known.get("layout") in _LAYOUTS:
        return CacheLayout(known["layout"])
    (found,) = probe([path])
    found.check()
    _LOADED.add({key: {"stamp": stamp, "layout": found.layout}})
    return found.layout


def probe(paths: Sequence[Path], *, seconds: float | None = None) -> list[ProbeResult]:
    """Load the files one after another in a child process; after a crash or timeout, start a new child.

    `seconds` limits the time per file; by default the limit grows with the file's size.
    """
    results: list[ProbeResult] = []
    layouts = _LAYOUTS
    while len(results) < len(paths):
        with _Trial() as child:
            for path in paths[len(results) :]:
                found = child.load(path, layouts, seconds or _allowance(path))
                layouts = _LAYOUTS[_LAYOUTS.index(child.tried) + 1 :] if child.tried else ()
                if found.outcome == "died" and layouts:  # it can decode, but perhaps not several sequences
                    break
                layouts = _LAYOUTS
                results.append(found)
                if found.outcome in ("died", "late"):
                    break
    return results


def _allowance(path: Path) -> float:
    size = path.stat().st_size if path.exists() else 0
    return _SECONDS + size / _BYTES_PER_SECOND


class _Trial:
    """A child process that loads files: it receives a path and replies with the outcome, or dies."""

    def __init__(self) -> None:
        try:
            self._child = ChildProcess(_SERVE)
        except OSError as error:
            message = f"cannot start the child process that test-loads the model: {error.strerror}"
            raise ModelLoadFailed(message, hint="check the system's process limits") from error
        self._is_ready = False
        self.tried: CacheLayout | None = None
        """The layout that was tried last for the file."""

    def __enter__(self) -> _Trial:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.stop()

    def load(self, path: Path, layouts: Sequence[CacheLayout], seconds: float) -> ProbeResult:
        """Test one file; after any outcome except "loaded" and "refused" the child is unusable."""
        self.tried = None
        # Symlinks stay unresolved: parts of a split model share a name.
        self._child.send([str(path.absolute()), layouts])
        try:
            self._is_ready = self._is_ready or self._child.receive(_SECONDS) is not None
            answer = self._child.receive(seconds) if self._is_ready else None
            while answer is not None and answer["outcome"] == "trying":
                self.tried = CacheLayout(answer["layout"])
                answer = self._child.receive(seconds)
        except TimeoutError:
            message = f"llama.cpp did not finish loading `{path}` within {seconds:.0f} s"
            return ProbeResult(path, "late", message, "the file may be damaged, or the disk too slow")
        if answer is None:
            return self._death(path)
        if answer["outcome"] == "loaded":
            return ProbeResult(path, "loaded", layout=CacheLayout(answer["layout"]))
        return ProbeResult(path, "refused", printable(answer["message"]), printable(answer["hint"]))

    def _death(self, path: Path) -> ProbeResult:
        """The outcome for a file that crashed the child, with the last message on its stderr."""
        self._child.wait(_SECONDS)
        reason, how = self._child.crash_message, self._child.exit_reason
        if not self._is_ready:
            message = f"cannot start llama.cpp to test `{path}`: {reason}"
            return ProbeResult(path, "died", message, "reinstall llama-cpp-python and localsmc")
        hint = "probably out of memory: use a smaller model" if how == "SIGKILL" else AGAIN
        return ProbeResult(path, "died", f"llama.cpp aborted while loading `{path}`: {reason} ({how})", hint)


def _stamp(header: Header) -> list[object]:
    """Identifies the versions that a cached success is valid for; survives a round trip through JSON."""
    try:
        files = [[status.st_size, status.st_mtime_ns] for status in map(Path.stat, header.parts)]
    except OSError as error:
        raise ModelNotFound(f"`{header.path}` was removed while in use", hint="check the disk") from error
    try:
        binding = metadata.version("llama-cpp-python")
    except metadata.PackageNotFoundError:  # an uninstalled copy on the import path, built by hand
        binding = "unknown"
    return [_SCHEMA, binding, os.environ.get("LLAMA_CPP_LIB_PATH", ""), *files]
