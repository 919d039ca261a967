"""Check the llama.cpp build: whether it starts, which devices it uses, and whether its results are right."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from functools import cached_property
from pathlib import Path
from typing import Any

from localsmc.doctor.finding import Verdict
from localsmc.memory import host
from localsmc.system.child_process import ChildProcess
from localsmc.system.humanize import format_bytes

SECONDS = 60.0
"""Time limit for the child: it starts Python, loads 8 MB and generates about fifty tokens."""

UNKNOWN = Verdict("warning", "unknown, because llama.cpp does not start")

_CHILD = "from localsmc.doctor.child import main; main(replies)"

BACKENDS = {"NVIDIA": "CUDA", "AMD": "HIP", "Apple": "METAL"}
"""GPU vendor to llama.cpp build option; VULKAN works for all of them."""

REGISTERED = ("CUDA", "ROCm", "Metal", "MTL", "Vulkan")
"""Names of GPU backends in the build's feature list."""


class LlamaBuild:
    """Checks of the llama.cpp build. The child process runs on first use."""

    @cached_property
    def replies(self) -> dict[str, Any]:
        """The child's messages by part, with `failed` if it did not finish."""
        replies: dict[str, Any] = {}
        until = time.monotonic() + SECONDS
        with ChildProcess(_CHILD) as child:
            try:
                while (message := child.receive(max(0.0, until - time.monotonic()))) is not None:
                    replies |= message
            except TimeoutError:
                return {"failed": f"llama.cpp did not finish within {SECONDS:.0f} s"}
            child.wait(SECONDS)
        if child.exit_code and "failed" not in replies:
            how = "signal" if child.exit_code < 0 else "exit code"
            replies["failed"] = f"the process ended with {how} {abs(child.exit_code)}: {child.crash_message}"
        return replies

    @property
    def facts(self) -> dict[str, Any] | None:
        """llama.cpp's build, devices and threads; None if it does not start."""
        return self.replies.get("engine")

    # --- the checks ---

    def build(self) -> Verdict:
        """Whether llama.cpp starts."""
        if self.facts is None:
            library = os.environ.get("LLAMA_CPP_LIB_PATH")
            hint = reinstall() if library is None else f"unset LLAMA_CPP_LIB_PATH (now `{library}`)"
            return Verdict("broken", self.replies["failed"], hint)
        name, _, features = str(self.facts["build"]).partition(" (")
        enabled = re.findall(r"(\w+) = 1", features)
        return Verdict("ok", f"{name}, built with {', '.join(enabled) or 'no special features'}")

    def gpu(self, vendors: list[str] | None = None) -> Verdict:
        """Whether a GPU is used, and how to enable it; `vendors` of GPUs are detected if None."""
        if self.facts is None:
            return UNKNOWN
        vendors = host.gpus() if vendors is None else vendors
        gpus = [device for device in self.facts["devices"] if device["is_gpu"]]
        if gpus:
            used = (f"{gpu['description']}, {_free(gpu)}" for gpu in gpus)
            return Verdict("ok", f"used: {'; '.join(used)}")
        if not vendors:
            return Verdict("ok", "no GPU found: llama.cpp runs on the CPU")
        names = " and ".join(vendors)
        if any(f"{backend} :" in self.facts["build"] for backend in REGISTERED):
            hint = "check the driver (`nvidia-smi`); a container needs access to the GPU (`--gpus all`)"
            return Verdict(
                "warning",
                f"{names} GPU found, but llama.cpp, although built with GPU support, does not see it",
                hint,
            )
        return Verdict(
            "warning",
            f"{names} GPU found, but llama.cpp is built without support for it",
            install(vendors[0]),
        )

    def processor(self) -> Verdict:
        """The number of cores and threads."""
        if self.facts is None:
            return UNKNOWN
        few, many = self.facts["threads"]
        return Verdict(
            "ok",
            f"{os.cpu_count()} logical cores; threads: {many}, for tiny models {few} (change with `-t`)",
        )

    def solve(self) -> Verdict:
        """Whether the embedded model gives the expected answer."""
        if self.facts is None:
            return Verdict("broken", "cannot be checked, because llama.cpp does not start")
        found = self.replies.get("solve")
        if found is None:
            return Verdict("broken", self.replies.get("failed", "no result"), reinstall())
        line = f"{found['speed']:,.0f} tokens/s, {found['seconds']:.1f} s including loading; {found['place']}"
        if found["answer"] == found["expected"]:
            return Verdict("ok", f"right answer: {line}")
        wrong = f"wrong answer {found['answer']} instead of {found['expected']}: {line}"
        return Verdict("broken", wrong, f"llama.cpp computes wrong results on this machine; {reinstall()}")


def _free(gpu: dict[str, Any]) -> str:
    return f"{format_bytes(gpu['free'])} of {format_bytes(gpu['total'])} free"


def install(vendor: str, system: str = sys.platform) -> str:
    """The commands that build llama.cpp with GPU support."""
    both = (BACKENDS[vendor], "VULKAN")
    commands = [_command(backend, system) for backend in both]
    return f"{commands[0]}\nor, for any GPU with a Vulkan driver and its SDK:\n{commands[1]}"


def _command(backend: str, system: str) -> str:
    arguments = f'CMAKE_ARGS="-DGGML_{backend}=on"'
    return f"$env:{arguments}; {reinstall()}" if system == "win32" else f"{arguments} {reinstall()}"


def reinstall() -> str:
    """The command that rebuilds llama.cpp."""
    return f"{pip()} install --force-reinstall --no-cache-dir llama-cpp-python"


def pip() -> str:
    """The command that runs pip for this Python."""
    found = shutil.which("pip")
    if found and Path(found).parent == Path(sys.executable).parent:
        return "pip"
    python = f'"{sys.executable}"' if " " in sys.executable else sys.executable
    return f"{python} -m pip"
