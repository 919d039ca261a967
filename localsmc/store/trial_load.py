"""Whether llama.cpp can load a file, found out in a child process, because on some damaged files it aborts.

Owns the child, its time limit and the memory of files that loaded (by path, size and modification time).
Does not know llama.cpp: the trial itself is `llama.probe_load`, imported by the child only; nor the file's
format, which `gguf.py` has checked before.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import IO, Literal

from localsmc.errors import LocalSMCError, ModelLoadFailed, ModelNotFound
from localsmc.gguf.reader import AGAIN, Header
from localsmc.system.json_cache import Memo

_SECONDS = 60.0  # to start Python, import the binding and load a small file on a busy machine
_BYTES_PER_SECOND = 20e6  # a slow network disk: the trial reads the whole file once
_SCHEMA = 1  # of the cache file; raise it when the trial becomes stricter
_LOADED = Memo("probed.json")
_STDERR_LINES = 200

_SERVE = f"from {__name__} import serve; serve()"

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
        with _Child() as child:
            for path in paths[len(results) :]:
                results.append(child.load(path, seconds or _allowance(path)))
                if results[-1].outcome in ("died", "late"):
                    break
    return results


def _allowance(path: Path) -> float:
    size = path.stat().st_size if path.exists() else 0
    return _SECONDS + size / _BYTES_PER_SECOND


class _Child:
    """The child seen from the parent: a path goes in, a JSON line comes out, or the child dies."""

    def __init__(self) -> None:
        # The parent's own import path: an installed package, an editable one and a bare checkout alike.
        code = f"import sys; sys.path[:] = {sys.path!r}; {_SERVE}"
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                # Without this ggml_abort starts a debugger, if there is one, and takes seconds to die.
                env=os.environ | {"GGML_NO_BACKTRACE": "1"},
            )
        except OSError as error:
            message = f"The child process that tries a model cannot be started: {error.strerror}"
            raise ModelLoadFailed(message, hint="check the machine's limits on processes") from error
        self._replies: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._stderr: deque[str] = deque(maxlen=_STDERR_LINES)
        self._readers = (
            _pump(self._process.stdout, self._replies.put),
            _pump(self._process.stderr, self._stderr.append),
        )
        self._is_ready = False

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def load(self, path: Path, seconds: float) -> ProbeResult:
        """Try one file; any outcome but "loaded" and "refused" is the end of this child."""
        self._send(str(path.absolute()))  # not resolved: the parts of a split model find each other by name
        try:
            self._is_ready = self._is_ready or bool(self._replies.get(timeout=_SECONDS))
            reply = self._replies.get(timeout=seconds) if self._is_ready else ""
        except queue.Empty:
            message = f"llama.cpp did not finish loading `{path}` within {seconds:.0f} s"
            return ProbeResult(path, "late", message, "it may be damaged; or try a faster disk")
        if not reply:
            return self._death(path)
        answer = json.loads(reply)
        return ProbeResult(path, answer["outcome"], printable(answer["message"]), printable(answer["hint"]))

    def stop(self) -> None:
        """Kill the child, if it still lives, and close its pipes."""
        self._process.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError):  # a path that the dead child never took
                if stream:
                    stream.close()

    def _send(self, text: str) -> None:
        stdin = self._process.stdin
        with contextlib.suppress(OSError):  # it is dead already: the missing reply will tell
            if stdin:
                stdin.write(json.dumps(text) + "\n")
                stdin.flush()

    def _death(self, path: Path) -> ProbeResult:
        """The outcome for the file on which the child died: its last words are on stderr."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_SECONDS)
        self.stop()
        code, words = self._process.returncode, last_words(self._stderr)
        if not self._is_ready:
            message = f"llama.cpp cannot be started to try `{path}`: {words}"
            return ProbeResult(path, "died", message, "reinstall llama-cpp-python and localsmc")
        how = signal.Signals(-code).name if -code in set(signal.Signals) else f"exit code {code}"
        hint = "memory ran out, most likely: take a smaller model" if how == "SIGKILL" else AGAIN
        return ProbeResult(path, "died", f"llama.cpp aborted while loading `{path}`: {words} ({how})", hint)


def _pump(stream: IO[str] | None, put: Callable[[str], None]) -> threading.Thread:
    """Move the lines of a pipe to `put`, then an empty one; a thread, because Windows cannot poll a pipe."""

    def run() -> None:
        for line in stream or ():
            put(line)
        put("")

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def last_words(lines: Iterable[str]) -> str:
    """What ggml_abort or std::terminate wrote, or else the last line of all."""
    spoken = [line.strip() for line in lines if line.strip()]
    telling = [line for line in spoken if "GGML_ASSERT" in line or line.startswith("what():")]
    words = (telling or spoken or ["it left no message"])[-1].removeprefix("what():")
    words = words[max(0, words.find("GGML_ASSERT")) :]  # without the path of a source file
    return printable(words).strip()


def printable(text: str) -> str:
    """llama.cpp quotes the file, and a damaged file can say anything to a terminal."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def serve() -> None:
    """The child: try the path on each line of standard input, answer each with a line of JSON."""
    replies = claim_stdout()
    die_quietly()
    from localsmc.llama import probe_load  # here only: the parent may never need llama.cpp

    _answer(replies, "ready")
    for line in sys.stdin:
        try:
            probe_load(json.loads(line))
        except LocalSMCError as error:
            _answer(replies, "refused", str(error), error.hint or "")
        else:
            _answer(replies, "loaded")


def claim_stdout() -> IO[str]:
    """Keep standard output for replies; what anything else prints joins standard error."""
    sys.stdout.flush()
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return replies


def _answer(replies: IO[str], outcome: str, message: str = "", hint: str = "") -> None:
    replies.write(json.dumps({"outcome": outcome, "message": message, "hint": hint}) + "\n")
    replies.flush()


def die_quietly() -> None:
    """No core file of a model's size, no dialog box."""
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.kernel32.SetErrorMode(0x0003)  # SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX
    else:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


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
