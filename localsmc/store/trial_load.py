"""Whether llama.cpp can load a file, found out in a child process, because on some damaged files it aborts.

Owns the child, its time limit and the memory of files that loaded (by path, size and modification time).
Does not know llama.cpp: the trial itself is `llama.probe_load`, imported by the child only; nor the file's
format, which `gguf.py` has checked before.
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
from localsmc.system.child_process import ChildProcess, sanitize
from localsmc.system.json_cache import JsonCache

_SECONDS = 60.0  # to start Python, import the binding and load a small file on a busy machine
_BYTES_PER_SECOND = 20e6  # a slow network disk: the trial reads the whole file once
_SCHEMA = 1  # of the cache file; raise it when the trial becomes stricter
_LOADED = JsonCache("probed.json")

_SERVE = "from localsmc.llama.trial_load_worker import serve; serve(replies)"

Outcome = Literal["loaded", "refused", "died", "late"]


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """How the trial load of one file ended; `message` and `hint` are empty where it loaded."""

    path: Path
    outcome: Outcome
    message: str = ""
    hint: str = ""

    def check(self) -> None:
        """Raise ModelLoadFailed unless the file loaded."""
        if self.outcome != "loaded":
            raise ModelLoadFailed(self.message, hint=self.hint or None)


def ensure_loadable(path: Path, header: Header) -> None:
    """Raise ModelLoadFailed unless llama.cpp loads the file: now in a child, or before and unchanged since.

    Failures are tried again each time: they are rare, and their cause may be outside the file.
    """
    key, stamp = str(path.resolve()), _stamp(header)
    if _LOADED.read().get(key) == stamp:
        return
    probe([path])[0].check()
    _LOADED.add({key: stamp})


def probe(paths: Sequence[Path], *, seconds: float | None = None) -> list[ProbeResult]:
    """Load each file in turn in a child; one that kills it or takes too long costs a new child.

    `seconds` limits the time for a file; by default the limit grows with the file's size.
    """
    results: list[ProbeResult] = []
    while len(results) < len(paths):
        with _Trial() as child:
            for path in paths[len(results) :]:
                results.append(child.load(path, seconds or _allowance(path)))
                if results[-1].outcome in ("died", "late"):
                    break
    return results


def _allowance(path: Path) -> float:
    size = path.stat().st_size if path.exists() else 0
    return _SECONDS + size / _BYTES_PER_SECOND


class _Trial:
    """A child process that loads files: a path goes in, the outcome comes back, or the child dies."""

    def __init__(self) -> None:
        try:
            self._child = ChildProcess(_SERVE)
        except OSError as error:
            message = f"The child process that tries a model cannot be started: {error.strerror}"
            raise ModelLoadFailed(message, hint="check the machine's limits on processes") from error
        self._is_ready = False

    def __enter__(self) -> _Trial:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.stop()

    def load(self, path: Path, seconds: float) -> ProbeResult:
        """Try one file; any outcome but "loaded" and "refused" is the end of this child."""
        self._child.send(str(path.absolute()))  # not resolved: the parts of a split model share a name
        try:
            self._is_ready = self._is_ready or self._child.receive(_SECONDS) is not None
            answer = self._child.receive(seconds) if self._is_ready else None
        except TimeoutError:
            message = f"llama.cpp did not finish loading `{path}` within {seconds:.0f} s"
            return ProbeResult(path, "late", message, "it may be damaged; or try a faster disk")
        if answer is None:
            return self._death(path)
        return ProbeResult(path, answer["outcome"], sanitize(answer["message"]), sanitize(answer["hint"]))

    def _death(self, path: Path) -> ProbeResult:
        """The outcome for the file on which the child died: its last words are on stderr."""
        self._child.wait(_SECONDS)
        words, how = self._child.crash_message, self._child.exit_reason
        if not self._is_ready:
            message = f"llama.cpp cannot be started to try `{path}`: {words}"
            return ProbeResult(path, "died", message, "reinstall llama-cpp-python and localsmc")
        hint = "memory ran out, most likely: take a smaller model" if how == "SIGKILL" else AGAIN
        return ProbeResult(path, "died", f"llama.cpp aborted while loading `{path}`: {words} ({how})", hint)


def _stamp(header: Header) -> list[object]:
    """What must not have changed for a remembered success to hold; JSON gives it back as it was."""
    try:
        files = [[status.st_size, status.st_mtime_ns] for status in map(Path.stat, header.parts)]
    except OSError as error:
        raise ModelNotFound(f"`{header.path}` has just disappeared", hint="check the disk") from error
    try:
        binding = metadata.version("llama-cpp-python")
    except metadata.PackageNotFoundError:  # a copy on the import path, with libraries built by hand
        binding = "unknown"
    return [_SCHEMA, binding, os.environ.get("LLAMA_CPP_LIB_PATH", ""), *files]
