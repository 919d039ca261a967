"""Check localsmc on this machine's GPU and measure its speed: devices, contract tests, `localsmc bench`.

    python -m localsmc_models.experiments.gpu --output FOLDER [--libraries FILE.tgz]
        [--only contract|bench] [--cpu]

Uses the installed llama.cpp if it was built with CUDA, or prebuilt libraries from a `.tgz` or a folder
(of the same version as the binding), with PyTorch's cuBLAS and CUDA runtime. Each part runs in its own
process and writes to the folder as it runs, so that results remain if a later part fails or `--limit`
is reached: `about.txt`, `contract-fa-on.txt`, `contract-fa-off.txt`, `bench.md` with `bench.log`, and
`summary.md`. The exit code is 0 if all parts succeed.

For an offline machine with PyTorch but without localsmc's requirements, first pack a folder:

    python -m localsmc_models.experiments.gpu --pack .gpu --python 3.12 --libraries llama-cuda-sm90-0.3.36.tgz

Copy the checkout with that folder to the machine, and run there, in the root of the checkout:

    ln -sfn cli localsmc_cli; ln -sfn models localsmc_models
    python3 -m localsmc_models.experiments.gpu --packed .gpu --output $OUT --limit 560

If the time limit was too short for everything, run it again with `--only bench`.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from localsmc.errors import ConfigError, LocalSMCError
from localsmc.llama import open_context
from localsmc_models.error_boundary import run
from localsmc_models.experiments import gpu_offline_bundle
from localsmc_models.experiments.gpu_offline_bundle import ROOT

CONTRACT = (
    "tests/contract/test_contract.py",
    "tests/contract/test_pair_contract.py",
    "tests/methods/ssr/test_ssr.py::test_every_track_stands_on_its_own_tokens",
    "tests/laws/test_gguf_laws.py",
    "tests/llama/test_llama.py",
)
"""Tests of what a device can break: logits, sequence memory, distributions, llama.cpp's pitfalls."""

BENCH = ("-m", "localsmc_cli.main", "bench")
ON_GPU = (
    "--synthetic qwen2.5-7b:Q4_K_M --synthetic qwen2.5-0.5b:Q4_0 -N 1,8,16,32,64 -n 128 -r 3 -ngl -1 -o md"
)
ON_CPU = "--synthetic qwen2.5-0.5b:Q4_0 -N 1,8 -n 16 -r 1 -ngl 0 -o md"
"""Arguments of the benchmark on a CPU, where those for a GPU would take an hour."""

CONTRACT_SHARE = 0.25
"""Share of the time limit for one run of the tests, so that the benchmark gets its time if they hang."""
GRACE_SECONDS = 10.0
"""Time for an interrupted process to exit."""
TAIL = 20
"""Number of last lines of a part's output to show."""

NO_GPU = 3
"""Exit code of `about`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuPart:
    """A command to run, the file for its output, and a file for its stderr if that is only progress."""

    name: str
    command: tuple[str, ...]
    output: str
    log: str = ""
    share: float = 1.0
    """Maximum share of the time limit."""
    is_short: bool = False
    """Whether to show all of the output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartOutcome:
    """The outcome of a part; `code` is None if it timed out."""

    part: GpuPart
    code: int | None
    seconds: float

    @property
    def words(self) -> str:
        """The outcome in the summary."""
        if self.code is None:
            return "timed out"
        return "ok" if self.code == 0 else f"failed (exit code {self.code})"


# --- in a child process: report on devices --------------------------------------------------------


def about(is_cpu: bool) -> int:
    """Print versions, devices and where a model's layers are; returns NO_GPU if there is no GPU, else 0."""
    # Set up logging first: llama.cpp reports when it is loaded why it sees no device.
    logging.basicConfig(stream=sys.stdout, format="%(message)s")
    logging.getLogger("localsmc.llama").addFilter(_is_relevant)
    logging.getLogger("localsmc.llama").setLevel(logging.INFO)
    import numpy as np

    import localsmc
    from localsmc.llama import ContextOptions, LoadOptions, build_info, devices
    from localsmc.llama.binding import C

    print(f"localsmc {localsmc.__version__}, Python {platform.python_version()}, {platform.platform()}")
    print(build_info())
    found = devices()
    for device in found:
        memory = f"{device.free / 2**30:.1f} of {device.total / 2**30:.1f} GiB free"
        print(f"device {device.name}: {device.description}, {memory}{', a GPU' if device.is_gpu else ''}")
    print(f"llama_supports_gpu_offload() is {C.llama_supports_gpu_offload()}", flush=True)
    if (smi := shutil.which("nvidia-smi")) is not None:
        query = "--query-gpu=name,driver_version,memory.total,clocks.sm,clocks.max.sm"
        print("nvidia-smi:", _output_of([smi, query, "--format=csv,noheader"]), flush=True)
    if not is_cpu and not any(device.is_gpu for device in found):
        return NO_GPU
    with localsmc.load(options=LoadOptions(n_gpu_layers=0 if is_cpu else -1, cpu_only=is_cpu)) as model:
        context = open_context(model.llama, ContextOptions(n_ctx=256, n_seq_max=8, n_batch=32))
        seqs, times = np.arange(8), []
        for position in range(16):  # the first steps warm up
            began = time.perf_counter()
            logits = context.decode(seqs + 5, np.full(8, position), seqs)
            times.append(time.perf_counter() - began)
        print(f"the embedded model on {model.llama.device}: {1e3 * min(times):.2f} ms per step of 8 tokens")
        if not np.isfinite(logits).all():
            raise LocalSMCError("the logits are not finite")
    return 0


def _is_relevant(record: logging.LogRecord) -> bool:
    return any(part in record.getMessage() for part in ("offloaded", "buffer size", "CUDA"))


def _output_of(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip()


# --- the parts ------------------------------------------------------------------------------------


def parts_of(options: argparse.Namespace) -> list[GpuPart]:
    """The requested parts, starting with the report on devices."""
    code = f"import sys; from localsmc_models.experiments.gpu import about; sys.exit(about({options.cpu}))"
    parts = [GpuPart(name="about", command=("-c", code), output="about.txt", is_short=True)]
    if options.only != "bench":
        parts += [_contract(options, flash) for flash in ("on", "off")]
    if options.only != "contract":
        arguments = options.bench or (ON_CPU if options.cpu else ON_GPU)
        command = (*BENCH, *shlex.split(arguments))
        parts.append(
            GpuPart(name="bench", command=command, output="bench.md", log="bench.log", is_short=True)
        )
    return parts


def _contract(options: argparse.Namespace, flash: str) -> GpuPart:
    name = f"contract-fa-{flash}"
    # Other installed plugins may emit warnings, which are errors in these tests.
    command = ["-m", "pytest", "-v", "-p", "no:cacheprovider", "--tb=short"]
    command += ["-p", "xdist.plugin", "-n", str(options.workers)] if options.workers > 1 else []
    command += [f"--gpu-layers={0 if options.cpu else -1}", f"--flash-attention={flash}"]
    command += options.tests or CONTRACT
    return GpuPart(name=name, command=tuple(command), output=f"{name}.txt", share=CONTRACT_SHARE)


def do(part: GpuPart, folder: Path, environment: dict[str, str], seconds: float | None) -> PartOutcome:
    """Run a part for at most `seconds`; its output goes directly to the file."""
    began, code = time.perf_counter(), None
    with contextlib.ExitStack() as stack:
        output, log = (
            stack.enter_context((folder / name).open("wb")) if name else subprocess.STDOUT
            for name in (part.output, part.log)
        )
        process = subprocess.Popen(
            [sys.executable, *part.command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=log,
            env=environment,
            cwd=ROOT,
            preexec_fn=_accept_interrupts,
        )
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        finally:
            _end(process)
    return PartOutcome(part=part, code=code, seconds=time.perf_counter() - began)


def _accept_interrupts() -> None:
    # Background jobs of scripts ignore interrupts, and their children inherit this.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    # Like Ctrl-C: pytest then reports the failures so far.
    process.send_signal(signal.SIGINT)
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def show(outcome: PartOutcome, folder: Path) -> None:
    """Print the output of a part, or its end, and the end of its log if it failed."""
    part = outcome.part
    print(f"\n## {part.name}: {outcome.words}, {outcome.seconds:.0f} s", flush=True)
    lines = (folder / part.output).read_text(errors="replace").splitlines()
    print(*(lines if part.is_short else lines[-TAIL:]), sep="\n", flush=True)
    if part.log and outcome.code != 0:
        print(*(folder / part.log).read_text(errors="replace").splitlines()[-TAIL:], sep="\n", flush=True)


def write_summary(outcomes: Sequence[PartOutcome], parts: Sequence[GpuPart], path: Path) -> str:
    """Write a table of all parts, including those not started; rewritten after each part."""
    done = {outcome.part.name: outcome for outcome in outcomes}
    lines = ["| part | outcome | seconds | file |", "| --- | --- | --- | --- |"]
    for part in parts:
        one = done.get(part.name)
        cells = (one.words, f"{one.seconds:.0f}") if one else ("not started", "–")
        lines.append(f"| {part.name} | {cells[0]} | {cells[1]} | {part.output} |")
    text = "\n".join(lines)
    path.write_text(text + "\n", encoding="utf-8")
    return text


def carry_out(
    parts: Sequence[GpuPart], folder: Path, environment: dict[str, str], limit: float | None
) -> str:
    """Run the parts in order; raises LocalSMCError at the end if one failed, or at once without a GPU."""
    end, outcomes = None if limit is None else time.perf_counter() + limit, list[PartOutcome]()
    text = write_summary(outcomes, parts, folder / "summary.md")
    for part in parts:
        left = None
        if limit is not None and end is not None:
            left = min(end - time.perf_counter(), part.share * limit)
            if left <= 0:
                break
        outcome = do(part, folder, environment, left)
        outcomes.append(outcome)
        text = write_summary(outcomes, parts, folder / "summary.md")
        show(outcome, folder)
        if part.name == "about" and outcome.code != 0:
            _refuse(outcome, folder)
    print(f"\n{text}", flush=True)
    bad = [one.part.name for one in outcomes if one.code != 0]
    bad += [part.name for part in parts[len(outcomes) :]]
    if bad:
        raise LocalSMCError(
            f"{len(bad)} of {len(parts)} parts failed: {', '.join(bad)}", hint=f"see `{folder}`"
        )
    return text


def _refuse(outcome: PartOutcome, folder: Path) -> None:
    if outcome.code == NO_GPU:
        raise ConfigError(
            "llama.cpp sees no GPU",
            hint="use a build with CUDA (`--libraries`, or see docs/guides/gpu.md) and a driver, or --cpu",
        )
    raise LocalSMCError("llama.cpp does not run", hint=f"see `{folder / outcome.part.output}`")


# --- the command ----------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m localsmc_models.experiments.gpu", description=__doc__.splitlines()[0]
    )
    add = parser.add_argument
    add("--output", type=Path, help="folder for the output of each part")
    add("--libraries", type=Path, help="`.tgz` or folder of llama.cpp's libraries (default: installed ones)")
    add("--packed", type=Path, help="folder made by --pack, for a machine without the requirements")
    add("--only", choices=("contract", "bench"), help="run only the tests, or only the benchmark")
    add("--cpu", action="store_true", help="run on the CPU")
    add("--bench", default="", help=f"arguments of the benchmark (default: `{ON_GPU}`)")
    add("--tests", nargs="+", help="pytest arguments that replace the contract tests")
    add("--workers", type=int, default=4, help="number of test processes (default: 4)")
    add("--limit", type=float, help="stop everything after this many seconds")
    add("--pack", type=Path, help="pack a folder for an offline machine, and exit")
    add("--python", help="Python version of the offline machine, e.g. 3.12 (default: this version)")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.pack is not None:
        gpu_offline_bundle.pack(options.pack, options.libraries, options.python)
        files = [file for file in options.pack.rglob("*") if file.is_file()]
        size = sum(file.stat().st_size for file in files)
        print(f"{len(files)} files, {size / 2**20:.1f} MiB, in `{options.pack}`")
        return
    if options.output is None:
        parser.error("--output is required: a folder for the output of each part")
    if not (ROOT / "tests").is_dir():
        raise ConfigError("the contract tests are not installed", hint="run this from a checkout of localsmc")
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="localsmc-gpu-") as scratch:
        carry_out(parts_of(options), options.output.resolve(), prepare(options, Path(scratch)), options.limit)


def prepare(options: argparse.Namespace, scratch: Path) -> dict[str, str]:
    """Unpack the packed folder and the libraries; returns the environment of the parts."""
    packages, source = [], options.libraries
    if options.packed is not None:
        packages = gpu_offline_bundle.unpack(options.packed, scratch / "site")
        source = source or gpu_offline_bundle.packed_libraries(options.packed)
    libraries = None if source is None else gpu_offline_bundle.place_libraries(source, scratch / "libraries")
    # The tests load the plugins that they need explicitly.
    return {**gpu_offline_bundle.environment(libraries, packages), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


if __name__ == "__main__":
    run(main)
