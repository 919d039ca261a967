"""llama.cpp as it is built here: whether it starts, what it computes on, whether it computes right."""

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
"""For the child: it starts Python, loads 8 MB and writes some fifty tokens."""

UNKNOWN = Verdict("warning", "not known, because llama.cpp does not start")

_CHILD = "from localsmc.doctor.child import main; main(replies)"

BACKENDS = {"NVIDIA": "CUDA", "AMD": "HIP", "Apple": "METAL"}
"""A GPU's maker to the switch of llama.cpp's build; VULKAN is one for any of them."""

REGISTERED = ("CUDA", "ROCm", "Metal", "MTL", "Vulkan")
"""What GPU backends are called among a build's features."""


class LlamaBuild:
    """What a child process finds out, when it is first asked for."""

    @cached_property
    def told(self) -> dict[str, Any]:
        """The parts that it came to, with `failed` where it did not come to the end."""
        told: dict[str, Any] = {}
        until = time.monotonic() + SECONDS
        with ChildProcess(_CHILD) as child:
            try:
                while (message := child.receive(max(0.0, until - time.monotonic()))) is not None:
                    told |= message
            except TimeoutError:
                return {"failed": f"llama.cpp did not finish within {SECONDS:.0f} s"}
            child.wait(SECONDS)
        if child.exit_code and "failed" not in told:
            how = "a signal" if child.exit_code < 0 else "exit code"
            told["failed"] = f"the process ended with {how} {abs(child.exit_code)}: {child.crash_message}"
        return told

    @property
    def facts(self) -> dict[str, Any] | None:
        """What llama.cpp says of itself; None where it does not start."""
        return self.told.get("engine")

    # --- the checks ---

    def build(self) -> Verdict:
        """Whether it starts."""
        if self.facts is None:
            library = os.environ.get("LLAMA_CPP_LIB_PATH")
            hint = reinstall() if library is None else f"LLAMA_CPP_LIB_PATH is `{library}`: leave it out"
            return Verdict("broken", self.told["failed"], hint)
        name, _, features = str(self.facts["build"]).partition(" (")
        switched_on = re.findall(r"(\w+) = 1", features)
        return Verdict("ok", f"{name}, built with {', '.join(switched_on) or 'no special features'}")

    def gpu(self, makers: list[str] | None = None) -> Verdict:
        """Whether layers go to a GPU, and what to do where they could; `makers` of those that are here."""
        if self.facts is None:
            return UNKNOWN
        makers = host.gpus() if makers is None else makers
        gpus = [device for device in self.facts["devices"] if device["is_gpu"]]
        if gpus:
            told = (f"{gpu['description']}, {_free(gpu)}" for gpu in gpus)
            return Verdict("ok", f"used: {'; '.join(told)}")
        if not makers:
            return Verdict("ok", "none is here: llama.cpp computes on the CPU")
        names = " and ".join(makers)
        if any(f"{backend} :" in self.facts["build"] for backend in REGISTERED):
            hint = "see what the driver says (`nvidia-smi`); a container must be given the GPU (`--gpus all`)"
            return Verdict("warning", f"{names} is here; llama.cpp is built for GPUs and sees none", hint)
        return Verdict(
            "warning", f"{names} is here, but llama.cpp is built without support for it", install(makers[0])
        )

    def processor(self) -> Verdict:
        """Cores and threads."""
        if self.facts is None:
            return UNKNOWN
        few, many = self.facts["threads"]
        return Verdict(
            "ok",
            f"{os.cpu_count()} logical cores; threads: {many}, for tiny models {few} (`-t` says otherwise)",
        )

    def solve(self) -> Verdict:
        """Whether the embedded model gives the answer that it should."""
        if self.facts is None:
            return Verdict("broken", "cannot be tried, because llama.cpp does not start")
        found = self.told.get("solve")
        if found is None:
            return Verdict("broken", self.told.get("failed", "it gave no result"), reinstall())
        line = f"{found['speed']:,.0f} tokens/s, {found['seconds']:.1f} s with loading; {found['place']}"
        if found["answer"] == found["expected"]:
            return Verdict("ok", f"answers right: {line}")
        wrong = f"answers {found['answer']}, not {found['expected']}: {line}"
        return Verdict("broken", wrong, f"llama.cpp computes something else here; {reinstall()}")


def _free(gpu: dict[str, Any]) -> str:
    return f"{format_bytes(gpu['free'])} of {format_bytes(gpu['total'])} free"


def install(maker: str, system: str = sys.platform) -> str:
    """The commands that build llama.cpp for a GPU."""
    both = (BACKENDS[maker], "VULKAN")
    commands = [_command(backend, system) for backend in both]
    return f"{commands[0]}\nor, for any GPU with a Vulkan driver and its SDK:\n{commands[1]}"


def _command(backend: str, system: str) -> str:
    arguments = f'CMAKE_ARGS="-DGGML_{backend}=on"'
    return f"$env:{arguments}; {reinstall()}" if system == "win32" else f"{arguments} {reinstall()}"


def reinstall() -> str:
    """The command that builds llama.cpp anew."""
    return f"{pip()} install --force-reinstall --no-cache-dir llama-cpp-python"


def pip() -> str:
    """How pip is called for this Python."""
    found = shutil.which("pip")
    if found and Path(found).parent == Path(sys.executable).parent:
        return "pip"
    python = f'"{sys.executable}"' if " " in sys.executable else sys.executable
    return f"{python} -m pip"
