"""Quantize a model with llama.cpp's quantizer.

Owns the table of types, the child process that does the work (llama.cpp aborts on some files), and the
temporary file in the target's folder, which is renamed to the target only when it is complete. The child
exits with its parent: when its standard input ends, because the parent finished or was killed, it removes
the temporary file.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path

from localsmc.errors import ConfigError, LocalSMCError, ModelLoadFailed, RunError
from localsmc.gguf.header import Header
from localsmc.gguf.reader import read_header
from localsmc.gguf.tensor_types import rows
from localsmc.llama.binding import logger
from localsmc.llama.devices import default_threads
from localsmc.llama.weights import CORRUPT_HINT
from localsmc.system.child_process import ChildProcess
from localsmc.system.humanize import format_bytes
from localsmc.system.printable import printable

# From llama.cpp's dry run on the shapes of Llama 3.1 8B, embedding and output included.
BITS_PER_WEIGHT = {
    name: float(bits)
    for name, bits in rows(
        "F32 32.00, F16 16.00, BF16 16.00, Q8_0 8.50, MXFP4_MOE 8.50, Q6_K 6.56, Q5_1 6.04, Q5_K_M 5.70, "
        "Q5_K_S 5.57, Q5_0 5.57, Q4_1 5.10, Q4_K_M 4.89, IQ4_NL 4.68, Q4_K_S 4.67, Q4_0 4.64, IQ4_XS 4.46, "
        "Q3_K_L 4.30, Q3_K_M 4.00, IQ3_M 3.76, IQ3_S 3.66, Q3_K_S 3.64, Q2_K 3.16, Q2_0 2.68, TQ2_0 2.52, "
        "TQ1_0 2.19, Q1_0 1.48"
    )
}
"""Bits per weight of the types that llama.cpp can write without an importance matrix, largest first."""

REMARKS = {
    "MXFP4_MOE": "experts at 4.25 bits, everything else Q8_0",
    "Q2_0": "for models trained in this type",
    "TQ2_0": "for ternary models",
    "TQ1_0": "for ternary models",
    "Q1_0": "for models trained in this type",
}

NEED_IMATRIX = "IQ3_XS IQ3_XXS Q2_K_S IQ2_M IQ2_S IQ2_XS IQ2_XXS IQ1_M IQ1_S".split()

_ALIASES = {"Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M"}  # as in llama-quantize
_ALIGNMENT = 32  # GGUF_DEFAULT_ALIGNMENT, which the quantizer uses for any source
_UNQUANTIZED = ("F32", "F16", "BF16", "F64", "I8", "I16", "I32", "I64")

_SERVE = "from localsmc.llama.quantize_worker import serve; serve(replies, sys.argv[1])"
_SECONDS = 60.0  # to wait for the exit of a child that has closed its pipes
_TENSOR = re.compile(r"\[ *(\d+)/ *(\d+)\] ")
_FALLBACK = re.compile(r"falling back to +(\w+)")
_N_FALLBACKS = re.compile(r"(\d+) of \d+ tensor\(s\) required fallback")
_NEW_SIZE = re.compile(r"quant size += +([\d.]+) MiB")

OnTensor = Callable[[int, int], None]
"""Callback with the number of the current tensor, from 1, and the number of tensors."""


def find_type(text: str) -> str:
    """Look up a type by llama.cpp's name, in any case; raises ConfigError and suggests a similar name."""
    name = _ALIASES.get(text.upper(), text.upper())
    if name in BITS_PER_WEIGHT:
        return name
    if name in NEED_IMATRIX:
        raise ConfigError(
            f"{name} needs an importance matrix, which localsmc does not compute",
            hint="use Q2_K or IQ3_S, or use llama.cpp's own llama-imatrix and llama-quantize",
        )
    near = get_close_matches(name, BITS_PER_WEIGHT, 1)
    hint = f"did you mean {near[0]}?" if near else "list all types with: localsmc quantize --types"
    raise ConfigError(f"unknown quantization type `{text}`", hint=hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """Quantizer options; the flags are those of llama-quantize, `n_threads` 0 means all physical cores."""

    type: str
    n_threads: int = 0
    allow_requantize: bool = False
    leave_output_tensor: bool = False
    pure: bool = False

    def __post_init__(self) -> None:
        if find_type(self.type) != self.type or self.n_threads < 0:
            raise ConfigError("`type` must be a key of BITS_PER_WEIGHT, and `n_threads` must not be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantized:
    """The written file: its header, the time taken in seconds, and the tensors that needed another type."""

    header: Header
    seconds: float
    n_fallbacks: int
    fallback_types: tuple[str, ...]

    @property
    def bits_per_weight(self) -> float:
        """Average over all tensors, without the metadata."""
        return 8 * sum(tensor.n_bytes for tensor in self.header.tensors) / self.header.n_params


def quantize(
    source: Header,
    target: Path,
    options: Quantization,
    *,
    overwrite: bool = False,
    on_tensor: OnTensor | None = None,
) -> Quantized:
    """Quantize a model to the file `target`, with all of its metadata; on failure, write nothing.

    Raises ConfigError for an invalid target or a quantized source, ModelLoadFailed if llama.cpp cannot
    quantize the source, and RunError if the disk is too small.
    """
    began = time.perf_counter()
    _check_source(source, options)
    _check_target(source, target, overwrite)
    log = _Log(target, on_tensor)
    with _scratch(target) as scratch, _Child(source, scratch, options) as child:
        child.follow(log)
        written = _read_back(source, scratch, target)
        try:
            scratch.replace(target)
        except OSError as error:
            raise _unwritable(target, error) from error
    return Quantized(
        header=written,
        seconds=time.perf_counter() - began,
        n_fallbacks=log.n_fallbacks,
        fallback_types=tuple(log.fallback_types),
    )


def _check_source(source: Header, options: Quantization) -> None:
    alignment = source.metadata.get("general.alignment", _ALIGNMENT)
    if alignment != _ALIGNMENT:  # the quantizer would keep the metadata value, but not align to it
        raise ModelLoadFailed(
            f"`{source.path}` aligns tensors to {alignment} bytes, unsupported by llama.cpp's quantizer",
            hint=f"convert the model again with the default alignment of {_ALIGNMENT} bytes",
        )
    if options.allow_requantize or all(tensor.type in _UNQUANTIZED for tensor in source.tensors):
        return
    raise ConfigError(
        f"`{source.path}` is already quantized ({source.file_type}); quantizing again costs accuracy",
        hint="start from the model's F16, BF16 or F32 file, or add `--allow-requantize`",
    )


def _check_target(source: Header, target: Path, overwrite: bool) -> None:
    folder = target.parent
    if not os.path.exists(folder):
        raise ConfigError(
            f"the folder `{folder}` does not exist", hint=f"run: mkdir -p {shlex.quote(str(folder))}"
        )
    try:
        is_file = stat.S_ISREG(target.lstat().st_mode)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unwritable(target, error) from error
    if target.exists() and any(part.samefile(target) for part in source.parts):
        raise ConfigError(f"`{target}` is the model to quantize", hint="choose another output file")
    if not (is_file or target.is_symlink()):
        raise ConfigError(f"`{target}` is not a regular file", hint="choose another output file")
    if not overwrite:
        raise ConfigError(
            f"`{target}` already exists", hint="add `--force` to replace it, or choose another output file"
        )


@contextlib.contextmanager
def _scratch(target: Path) -> Iterator[Path]:
    """A temporary file in the target's folder, so that it can be renamed atomically; removed at the end."""
    path = target.with_name(f"{target.stem[:40]}.{os.getpid()}.part")  # names have a maximum length
    try:
        path.open("wb").close()
    except OSError as error:
        raise _unwritable(target, error) from error
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _unwritable(target: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"`{target}` cannot be written: {error.strerror}",
        hint="choose an output file in a writable folder",
    )


def _read_back(source: Header, scratch: Path, target: Path) -> Header:
    """Read the header of the written file and check it: llama.cpp does not notice every failed write."""
    with scratch.open("rb") as file:
        if not any(file.read(4)):  # llama.cpp writes the header last, and nothing after a failed write
            raise _no_room(target)
    try:
        written = read_header(scratch)
    except LocalSMCError as error:
        reason = str(error).replace(str(scratch), str(target))
        raise ModelLoadFailed(f"llama.cpp wrote a bad file: {reason}", hint=CORRUPT_HINT) from error
    if _contents(written) != _contents(source):
        raise ModelLoadFailed(f"llama.cpp did not write all tensors of `{source.path}`", hint=CORRUPT_HINT)
    return written


def _contents(header: Header) -> set[tuple[str, tuple[int, ...]]]:
    return {(tensor.name, tensor.shape) for tensor in header.tensors}


def _no_room(target: Path) -> RunError:
    free = format_bytes(shutil.disk_usage(target.parent).free)
    return RunError(
        f"`{target}` could not be written completely",
        hint=f"free some space in `{target.parent}` ({free} free now), or write to another disk",
    )


class _Log:
    """Parses llama.cpp's log: the size from the dry run, then the current tensor and the fallback types."""

    def __init__(self, target: Path, on_tensor: OnTensor | None) -> None:
        self.target, self._on_tensor = target, on_tensor
        self.n_fallbacks = 0
        self.fallback_types: dict[str, None] = {}  # an ordered set

    def read_dry(self, line: str) -> None:
        """Read a line of the dry run; raises RunError if the disk is too small."""
        if found := _NEW_SIZE.search(line):
            needed, free = float(found[1]) * 2**20, shutil.disk_usage(self.target.parent).free
            if needed > free:
                raise RunError(
                    f"`{self.target}` needs {format_bytes(needed)}, but only {format_bytes(free)} are free",
                    hint=f"free some space in `{self.target.parent}`, or write to another disk",
                )

    def read(self, level: int, line: str) -> None:
        """Read a line of the real run."""
        logger.log(level, line)
        if self._on_tensor and (found := _TENSOR.match(line)):
            self._on_tensor(int(found[1]), int(found[2]))
        if found := _FALLBACK.search(line):
            self.fallback_types[found[1].upper()] = None
        if found := _N_FALLBACKS.search(line):
            self.n_fallbacks = int(found[1])


class _Child:
    """The child process that writes the file; interprets its messages."""

    def __init__(self, source: Header, scratch: Path, options: Quantization) -> None:
        self._source = source
        job = {
            "source": str(source.path.absolute()),
            "scratch": str(scratch.absolute()),
            **asdict(options),
            "n_threads": options.n_threads or default_threads(source.n_params),
        }
        try:
            # Ctrl-C reaches the child too, and must not stop it before it has set up its cleanup.
            self._child = ChildProcess(_SERVE, json.dumps(job), ignores_interrupt=True)
        except OSError as error:
            message = f"cannot start the child process that quantizes: {error.strerror}"
            raise ModelLoadFailed(message, hint="check the system's process limits") from error

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.stop()

    def follow(self, log: _Log) -> None:
        """Process messages until the file is written; raises if quantizing fails."""
        while (message := self._child.receive()) is not None:
            if "end" in message:
                return self._check(message["end"], log)
            if message["is_dry"]:
                log.read_dry(message["line"])
            else:
                log.read(message["level"], message["line"])
        raise self._death()

    def _check(self, reason: str, log: _Log) -> None:
        if "iostream error" in reason:
            raise _no_room(log.target)
        if reason:
            raise ModelLoadFailed(
                f"llama.cpp cannot quantize `{self._source.path}`: {printable(reason)}", hint=CORRUPT_HINT
            )

    def _death(self) -> ModelLoadFailed:
        self._child.wait(_SECONDS)
        reason, how = self._child.crash_message, self._child.exit_reason
        hint = "probably out of memory: close other programs" if how == "SIGKILL" else CORRUPT_HINT
        path = self._source.path
        return ModelLoadFailed(f"llama.cpp aborted while quantizing `{path}`: {reason} ({how})", hint=hint)
