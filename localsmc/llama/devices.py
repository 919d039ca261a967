"""The devices that llama.cpp can use on this machine, and the default number of threads."""

from __future__ import annotations

import ctypes
import os
import sys
from dataclasses import dataclass

import psutil

from localsmc.llama.binding import C, libggml
from localsmc.llama.load_options import LoadOptions


@dataclass(frozen=True, slots=True)
class Device:
    """A device that llama.cpp can use; memory in bytes."""

    name: str
    description: str
    is_gpu: bool
    free: int
    total: int
    is_shared: bool = False
    """Whether it shares the main memory of the machine."""


def devices() -> list[Device]:
    """All devices that this build of llama.cpp can use, including the CPU."""
    ggml = libggml
    for function, result in (
        ("ggml_backend_dev_count", ctypes.c_size_t),
        ("ggml_backend_dev_get", ctypes.c_void_p),
        ("ggml_backend_dev_name", ctypes.c_char_p),
        ("ggml_backend_dev_description", ctypes.c_char_p),
        ("ggml_backend_dev_type", ctypes.c_int),
        ("ggml_backend_dev_memory", None),
    ):
        getattr(ggml, function).restype = result
    found = []
    for index in range(ggml.ggml_backend_dev_count()):
        device = ctypes.c_void_p(ggml.ggml_backend_dev_get(ctypes.c_size_t(index)))
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        ggml.ggml_backend_dev_memory(device, ctypes.byref(free), ctypes.byref(total))
        name, text = ggml.ggml_backend_dev_name(device), ggml.ggml_backend_dev_description(device)
        # ggml-backend.h: 0 is the CPU, 1 a GPU, 2 an integrated GPU, 3 an accelerator used with the CPU.
        kind = ggml.ggml_backend_dev_type(device)
        is_shared = kind == 2 or (kind == 1 and sys.platform == "darwin")
        found.append(Device(name.decode(), text.decode(), kind in (1, 2), free.value, total.value, is_shared))
    return found


def gpus_in_use(options: LoadOptions) -> list[Device]:
    """The GPUs that llama.cpp offloads layers to: those with dedicated memory, if there are any."""
    if options.n_gpu_layers == 0 or options.cpu_only:
        return []
    found = [device for device in devices() if device.is_gpu]
    found = [gpu for gpu in found if not gpu.is_shared] or found
    return found[options.main_gpu :][:1] if options.split_mode == "none" else found


def can_offload() -> bool:
    """Whether this build of llama.cpp has a GPU that it can use."""
    return bool(C.llama_supports_gpu_offload())


PARAMS_PER_THREAD = 20_000_000
"""Parameters per thread below which another thread costs more in waiting than it saves in work: a step of
the embedded model has about a hundred barriers, and each may cost a time slice if another process is busy."""


def default_threads(n_params: int) -> int:
    """Threads for a model of this size: the available physical cores, fewer for tiny models."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cores = min(usable, psutil.cpu_count(logical=False) or usable)
    return max(1, min(cores, n_params // PARAMS_PER_THREAD))
