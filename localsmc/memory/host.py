"""The machine's memory, a container's limit on it, and its GPUs, without asking llama.cpp.

It only reads system files below `root`, and is fast enough for every run.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

_ROOT = Path("/")


@dataclass(frozen=True, slots=True)
class HostMemory:
    """Bytes of memory that a process may use, and how many are free; file caches count as free."""

    total: int
    free: int
    is_limited: bool = False
    """Whether a container has a limit below the machine's memory."""


def available(root: Path = _ROOT) -> HostMemory:
    """The machine's memory, or the limit of the process's control groups."""
    whole = psutil.virtual_memory()
    total, free = whole.total, whole.available
    for limit, used in _limits(root):
        total, free = min(total, limit), min(free, max(0, limit - used))
    return HostMemory(total, free, total < whole.total)


def _limits(root: Path) -> Iterator[tuple[int, int]]:
    """(limit, used) of every control group of the process, file caches not counted."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        controllers, _, path = line.partition(":")[2].partition(":")
        if not path:
            continue
        if not controllers:  # version 2
            mount, names = root / "sys/fs/cgroup", ("max", "current", "inactive_file")
        elif "memory" in controllers.split(","):
            mount = root / "sys/fs/cgroup/memory"
            names = ("limit_in_bytes", "usage_in_bytes", "total_inactive_file")
        else:
            continue
        group = mount / path.lstrip("/")
        # In a container the path may be the host's, with only the mount visible.
        for folder in [group, *group.parents][: len(Path(path).parts)]:
            limit, used = (_text(folder / f"memory.{name}").strip() for name in names[:2])
            if limit.isdecimal() and used.isdecimal():
                yield int(limit), int(used) - _statistic(folder / "memory.stat", names[2])


def _statistic(path: Path, name: str) -> int:
    values = dict(line.split(" ", 1) for line in _text(path).splitlines() if " " in line)
    value = values.get(name, "").strip()
    return int(value) if value.isdecimal() else 0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def gpus(root: Path = _ROOT, system: str = sys.platform, processor: str | None = None) -> list[str]:
    """The makers of the GPUs, by the files of their drivers: NVIDIA, AMD, Apple."""
    if system == "darwin":
        return ["Apple"] if (processor or platform.machine()) == "arm64" else []
    traces = {
        "NVIDIA": (
            "dev/nvidia0",
            "usr/lib/wsl/lib/libcuda.so.1",  # Windows Subsystem for Linux
            "Windows/System32/nvcuda.dll",
        ),
        "AMD": ("dev/kfd",),
    }
    return [maker for maker, paths in traces.items() if any((root / path).exists() for path in paths)]
