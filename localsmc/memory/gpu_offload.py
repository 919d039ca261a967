"""Which layers go to GPUs: as many as fit in their free memory with the KV cache, the rest on the CPU.

Pure arithmetic on a header and on the free memory of devices; llama.cpp is not asked. Layers are split as
llama.cpp splits them: the last ones go to GPUs, the output counts as one more layer, and each GPU gets a
share of their number. Modes that split single tensors are treated like a split by layer.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING

from localsmc.errors import ContextError, ModelLoadFailed
from localsmc.gguf.header import Header
from localsmc.gguf.tensor_types import bytes_per_element
from localsmc.memory import estimate
from localsmc.memory.estimate import LayerMemory, MemoryEstimate
from localsmc.memory.host import HostMemory

if TYPE_CHECKING:
    from localsmc.llama import ContextOptions, Device

MARGIN = 2**30
"""Bytes to leave free on each GPU, as llama.cpp's own `--fit` does."""

USABLE = 0.95
"""Share of all memory that a model may take; the rest is for the system."""

CPU = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Offload:
    """Where each part of a model goes: its layers, then the output.

    `where` has the index of each part's GPU, or CPU. `planned_bytes` is what each GPU is planned to hold.
    `shares` are the proportions by which the parts on GPUs are split.
    """

    parts: tuple[LayerMemory, ...]
    where: tuple[int, ...]
    gpus: tuple[Device, ...] = ()
    planned_bytes: tuple[int, ...] = ()
    shares: tuple[float, ...] = ()

    @property
    def n_gpu_layers(self) -> int:
        """The number of parts on GPUs, as llama.cpp counts layers."""
        return len(self.parts) - self.where.count(CPU)

    def on(self, place: int) -> list[LayerMemory]:
        """The parts on one GPU, or on the CPU."""
        return [part for part, at in zip(self.parts, self.where, strict=True) if at == place]

    def cell(self, place: int, type_k: str, type_v: str) -> float:
        """Bytes per token in the KV cache of this device."""
        return sum(part.cell(type_k, type_v) for part in self.on(place))

    def __str__(self) -> str:
        """As "25 of 33 layers on NVIDIA H200: 12.1 of 14.0 GiB free"."""
        lines = [
            f"{self.where.count(i)} of {len(self.parts)} layers on {gpu.description}:"
            f" {gib(taken)} of {gib(gpu.free)} GiB free"
            for i, (gpu, taken) in enumerate(zip(self.gpus, self.planned_bytes, strict=True))
            if i in self.where
        ]
        return "; ".join(lines) or f"all {len(self.parts)} layers on the CPU"


def place(
    header: Header,
    context: ContextOptions,
    gpus: Sequence[Device],
    *,
    n_gpu_layers: int | None = None,
    tensor_split: Sequence[float] = (),
) -> Offload:
    """Put `n_gpu_layers` layers on GPUs, or with None as many as fit together with their KV cache.

    Several GPUs share them by `tensor_split`, or else by free memory. If layers must fit, that is the
    memory left for layers, so that a full GPU gets none.
    """
    parts = estimate.parts(header)
    compute = need(header, context, on_gpu=True).compute
    room = [max(0.0, gpu.free - MARGIN - compute) for gpu in gpus]
    asked = tuple(map(float, tensor_split[: len(gpus)]))
    fitting = tuple(room) if n_gpu_layers is None and any(room) else ()
    shares = asked if any(asked) else fitting or tuple(float(gpu.free) for gpu in gpus)

    def with_layers(n: int) -> Offload:
        where = _where(len(parts), n if gpus else 0, shares)
        bare = Offload(parts=parts, where=where, gpus=tuple(gpus), shares=shares)
        taken = (_bytes(bare.on(i), context) + compute if i in where else 0 for i in range(len(gpus)))
        return replace(bare, planned_bytes=tuple(taken))

    if n_gpu_layers is not None:
        return with_layers(min(n_gpu_layers, len(parts)))
    found = (with_layers(n) for n in range(len(parts), 0, -1))
    return next(filter(_fits, found), with_layers(0))


def _fits(placement: Offload) -> bool:
    both = zip(placement.gpus, placement.planned_bytes, strict=True)
    return placement.n_gpu_layers > 0 and all(taken == 0 or taken + MARGIN <= gpu.free for gpu, taken in both)


def _where(n_parts: int, n_on_gpus: int, shares: Sequence[float]) -> tuple[int, ...]:
    """As llama.cpp: a part goes to the GPU whose running sum of shares its position falls into."""
    ends = list(accumulate(shares))
    on_gpus = (bisect_right(ends, i / n_on_gpus * ends[-1]) for i in range(n_on_gpus))
    return (CPU,) * (n_parts - n_on_gpus) + tuple(min(gpu, len(ends) - 1) for gpu in on_gpus)


def _bytes(parts: Sequence[LayerMemory], context: ContextOptions) -> int:
    """Weights, KV cache and states of some parts."""
    cells = estimate.padded(context.n_ctx) * sum(part.cell(context.type_k, context.type_v) for part in parts)
    return int(cells) + sum(part.weights + context.n_seq_max * part.state for part in parts)


def need(header: Header, context: ContextOptions, *, on_gpu: bool = False) -> MemoryEstimate:
    """The memory of a model with a context."""
    asked = context.flash_attention
    # On auto, llama.cpp uses flash attention on GPUs only, unless the values are quantized.
    flash = asked == "on" or (asked == "auto" and (on_gpu or bytes_per_element(context.type_v) < 2))
    return estimate.estimate(
        header,
        n_cells=context.n_ctx,
        n_sequences=context.n_seq_max,
        type_k=context.type_k,
        type_v=context.type_v,
        n_ubatch=context.n_ubatch,
        flash=flash,
    )


def cells_left(
    models: Sequence[tuple[Header, Offload]], context: ContextOptions, left: Mapping[str, float]
) -> int:
    """KV cells that fit in memory on every device that has layers of the models.

    `left` maps a GPU's name to its free bytes after loading the weights; "" is the CPU. Models without a
    KV cache get the context's own size.
    """
    computing: Counter[str] = Counter()
    per_cell: defaultdict[str, float] = defaultdict(float)
    for header, placement in models:
        compute = need(header, context, on_gpu=True).compute
        for index, name in enumerate(["", *(gpu.name for gpu in placement.gpus)], CPU):
            if n_bytes := placement.cell(index, context.type_k, context.type_v):
                per_cell[name] += n_bytes
                # The CPU reserves a compute buffer, but hardly uses it.
                computing[name] += compute if name else 0
    fitting = (max(0.0, left[name] - computing[name]) / n_bytes for name, n_bytes in per_cell.items())
    return int(min(fitting, default=context.n_ctx))


# --- is there enough memory? ------------------------------------------------------------------------


def check(header: Header, placement: Offload, context: ContextOptions, ram: HostMemory) -> list[str]:
    """Warnings before a model is loaded; raises ModelLoadFailed if its weights exceed all memory.

    Weights are mapped from the file: with too little free memory the model still runs, but slowly.
    """
    needed = need(header, context, on_gpu=placement.n_gpu_layers == len(placement.parts))
    gpus = _with_own_memory(placement)
    total = int(USABLE * ram.total) + sum(gpu.total for gpu in gpus.values())
    if needed.weights > total:
        where = "this container" if ram.is_limited else "this machine"
        raise ModelLoadFailed(
            f"`{header.path}` needs {_described(needed)}, but {where} has {gib(total)} GiB"
            f"{' with its GPUs' if gpus else ''}",
            hint=_what_fits(header, total - needed.cache - needed.compute),
        )
    on_cpu = needed.weights - sum(part.weights for i in gpus for part in placement.on(i))
    if on_cpu <= ram.free:
        return []
    return [
        f"`{header.path}` needs {_described(needed)}, but {gib(_free(placement, ram))} GiB are free: what"
        " does not fit is read from disk for every token; a smaller quantization is faster"
    ]


def check_context(header: Header, placement: Offload, context: ContextOptions, ram: HostMemory) -> None:
    """Raise ContextError if the KV cache that was asked for exceeds free memory."""
    cache, free = need(header, context).cache, _free(placement, ram)
    if cache > free:
        raise ContextError(
            f"a context of {context.n_ctx} tokens needs {gib(cache)} GiB, but {gib(free)} GiB are free",
            hint="lower `--ctx-size`",
        )


def _with_own_memory(placement: Offload) -> dict[int, Device]:
    return {i: gpu for i, gpu in enumerate(placement.gpus) if not gpu.is_shared}


def _free(placement: Offload, ram: HostMemory) -> int:
    return ram.free + sum(gpu.free for gpu in _with_own_memory(placement).values())


def _described(needed: MemoryEstimate) -> str:
    parts = ", ".join(f"{name} {gib(getattr(needed, name))}" for name in ("weights", "cache", "compute"))
    return f"{gib(needed.total)} GiB ({parts})"


def _what_fits(header: Header, room: int) -> str:
    trying = "`--no-memory-check` tries it anyway"
    if room < header.n_params / 8:  # less than one bit per weight
        return f"use a smaller model, or lower `--ctx-size` and `--particles`; {trying}"
    return f"use a quantization of at most {gib(room)} GiB, or a smaller model; {trying}"


def gib(n_bytes: float) -> str:
    """Bytes in GiB, as "4.1"."""
    return f"{n_bytes / 2**30:,.1f}"
