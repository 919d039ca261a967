"""`localsmc quantize`: writes a model in another quantization."""

from __future__ import annotations

import os
import re
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from localsmc.errors import ConfigError
from localsmc.gguf.tensor_types import FILE_TYPES
from localsmc.system.user_dirs import expand_user
from localsmc_cli.inputs.parsed_options import ModeOptions
from localsmc_cli.options import common_options
from localsmc_cli.ui.command_session import CommandSession
from localsmc_cli.ui.progress import bar

if TYPE_CHECKING:
    from localsmc.gguf.header import Header
    from localsmc.llama.quantize import Quantized
    from localsmc_cli.ui.live_panel import Panel

_EXAMPLES = """\b
Examples:
  localsmc quantize model-F16.gguf . Q4_K_M
  localsmc quantize --types

IN.gguf can also be the name of a model on this machine, as for `-m`. For a split model, IN.gguf is the first
part; the output is a single file. OUT.gguf can be a folder; the file in it is named after the model and TYPE.
"""

_USAGE = "localsmc quantize {source} {target} {type}"
_PERIOD = 1 / 8  # seconds between two drawings
_TYPE_AT_THE_END = re.compile(
    rf"(?<=.)[-._ ](?:{'|'.join((*FILE_TYPES, 'MXFP4_MOE', 'FP16', 'FP32'))})$", re.IGNORECASE
)
_PART_AT_THE_END = re.compile(r"(?<=.)-\d{5}-of-\d{5}$")


def _print_types(ctx: click.Context, _: click.Parameter, is_wanted: bool) -> None:
    if not is_wanted or ctx.resilient_parsing:
        return
    from localsmc.llama.quantize import BITS_PER_WEIGHT, NEED_IMATRIX, REMARKS

    lines = [f"{name:<10} {bits:5.2f}  {REMARKS.get(name, '')}" for name, bits in BITS_PER_WEIGHT.items()]
    ctx.obj.output.text("\n".join(line.rstrip() for line in lines))
    ctx.obj.output.note(
        "\nBits per weight are for Llama 3.1 8B; small models need more, since embeddings are a larger share"
        f" of them.\nNot available, since they need an importance matrix: {', '.join(NEED_IMATRIX)}."
    )
    ctx.exit()


_quantization = common_options.section("Quantization")
_quantization_options = common_options.together(
    _quantization(
        "--types",
        is_flag=True,
        default=False,
        is_eager=True,
        expose_value=False,
        callback=_print_types,
        each_time="it prints something and exits",
        help="List the types with their bits per weight.",
    ),
    _quantization(
        "--allow-requantize",
        is_flag=True,
        default=False,
        help="Allow a model that is already quantized; this costs additional accuracy.",
    ),
    _quantization(
        "--leave-output-tensor",
        is_flag=True,
        default=False,
        help="Do not quantize output.weight: a larger file, closer to the original model.",
    ),
    _quantization(
        "--pure",
        is_flag=True,
        default=False,
        help="Use one type for all tensors, without the usual mixture.",
    ),
)

_running = common_options.section("Running")
_running_options = common_options.together(
    common_options.threads_option(_running),
    _running(
        "--force",
        is_flag=True,
        default=False,
        each_time="it overwrites a file",
        help="Overwrite OUT.gguf if it exists.",
    ),
    common_options.mode_options(_running),
)


@dataclass(kw_only=True, frozen=True)
class QuantizeOptions(ModeOptions):
    """All options of `localsmc quantize`."""

    words: tuple[str, ...]
    allow_requantize: bool
    leave_output_tensor: bool
    pure: bool
    n_threads: int | None
    force: bool


@click.command(cls=common_options.ConfigurableCommand, epilog=_EXAMPLES)
@click.argument(
    "words", nargs=-1, metavar="IN.gguf OUT.gguf TYPE", shell_complete=common_options.completed_as("MODEL")
)
@_quantization_options
@_running_options
@click.pass_obj
def quantize(session: CommandSession, /, **given: Any) -> None:
    """Quantize a GGUF model with llama.cpp.

    Prints the path of the new file to stdout, everything else to stderr.
    """
    output = session.output
    options = QuantizeOptions(**given)
    output.set_modes(is_quiet=options.quiet, is_verbose=options.verbose)
    source, target, type_ = _parse(options.words)
    from localsmc.gguf.reader import read_header
    from localsmc.store.model_source import installed

    model = installed(source)
    header = read_header(model.path, title=model.title)
    path = target_path(Path(model.file_name), target, type_)
    written = _quantize(session, header, path, type_, options)
    output.text(str(path))
    _print_summary(session, header, path, type_, written)


def _parse(words: tuple[str, ...]) -> tuple[str, str, str]:
    """Input, output and type; raises ConfigError with an example command."""
    from localsmc.llama.quantize import BITS_PER_WEIGHT, find_type

    def example(source: str, target: str = "model-Q4_K_M.gguf", type_: str = "Q4_K_M") -> str:
        return "for example: " + _USAGE.format(
            source=shlex.quote(source), target=shlex.quote(target), type=type_
        )

    if not words:
        raise ConfigError("no model is given", hint=example("model-F16.gguf"))
    if len(words) == 1:
        raise ConfigError("no output and no type are given", hint=example(words[0]))
    is_type = [word.upper() in BITS_PER_WEIGHT for word in words]
    if len(words) == 2 and is_type[1]:
        raise ConfigError("no output is given", hint=example(words[0], ".", words[1]))
    if len(words) == 2:
        raise ConfigError("no type is given", hint=example(*words) + "; all types: localsmc quantize --types")
    if len(words) == 4 and words[3].isdigit():
        raise ConfigError("the number of threads is an option", hint=f"use `-t {words[3]}`")
    if len(words) > 3:
        raise ConfigError(
            f"{len(words)} arguments are given, but there are 3", hint="put a path with spaces in quotes"
        )
    if is_type[1] and not is_type[2]:
        raise ConfigError("the type must come last", hint=example(words[0], words[2], words[1]))
    return words[0], words[1], find_type(words[2])


def target_path(source: Path, target: str, type_: str) -> Path:
    """The file to write: `target`, or a file in it if it is a folder."""
    path = expand_user(target)
    if not os.path.isdir(path) and not target.endswith(("/", os.sep)):
        return path
    name = source.name.removesuffix(".gguf")
    name = _TYPE_AT_THE_END.sub("", _PART_AT_THE_END.sub("", name))
    return path / f"{name}-{type_}.gguf"


def _quantize(
    session: CommandSession, header: Header, path: Path, type_: str, options: QuantizeOptions
) -> Quantized:
    from localsmc.llama.quantize import Quantization
    from localsmc.llama.quantize import quantize as run

    quantization = Quantization(
        type=type_,
        n_threads=max(0, options.n_threads or 0),
        allow_requantize=options.allow_requantize,
        leave_output_tensor=options.leave_output_tensor,
        pure=options.pure,
    )
    with session.output.library_log(), session.output.panel() as panel:
        on_tensor = None if panel is None else _drawing(panel, type_)
        return run(header, path, quantization, overwrite=options.force, on_tensor=on_tensor)


def _drawing(panel: Panel, type_: str) -> Callable[[int, int], None]:
    """A callback that shows how many tensors are done."""
    panel.status("starting llama.cpp")
    shown = 0.0

    def draw(tensor: int, n_tensors: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown >= _PERIOD:
            shown = now
            panel.status(f"{type_} {bar((tensor - 1) / n_tensors)} tensor {tensor} of {n_tensors}")

    return draw


def _print_summary(
    session: CommandSession, header: Header, path: Path, type_: str, written: Quantized
) -> None:
    from localsmc.system.humanize import format_bytes

    n_tensors, n_fallbacks = len(header.tensors), written.n_fallbacks
    if n_fallbacks:
        session.output.warn(
            f"{n_fallbacks} of {n_tensors} tensors use {' and '.join(written.fallback_types)} instead:"
            f" their rows cannot be divided into blocks of {type_}"
        )
    facts = [] if header.file_type == "unknown" else [header.file_type]
    facts += [f"{len(header.parts)} parts"] if len(header.parts) > 1 else []
    source = header.title or header.path.name
    session.output.note(
        f"{source} ({', '.join([*facts, format_bytes(header.size)])}) -> {path.name}"
        f" ({format_bytes(written.header.size)}, {written.bits_per_weight:.2f} bits per weight)"
        f" in {written.seconds:.1f} s"
    )
