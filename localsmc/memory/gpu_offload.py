"""Where a model's layers and their cache go: as many as fit into GPUs' free memory, the rest on the CPU.

Arithmetic on a header and on what devices say is free; llama.cpp is not asked. It splits as llama.cpp
does: the last layers go to GPUs, the output counts as one more behind them, and each GPU has a share of
their number. Modes that split single tensors are taken as if they split by layer.
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
"""Bytes to leave free on each GPU for what cannot be counted, as llama.cpp's own `--fit` does."""

USABLE = 0.95
"""Of all memory; the rest is the system's."""

CPU = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Offload:
    """Where each part of a model stands, its layers and the output behind them.

    `where` has the index of a part's GPU, or CPU; `taken` the bytes that each GPU is planned to hold, and
    `shares` what the parts on GPUs are split by.
    """

    parts: tuple[LayerMemory, ...]
    where: tuple[int, ...]
    gpus: tuple[Device, ...] = ()
    planned_bytes: tuple[int, ...] = ()
    shares: tuple[float, ...] = ()

    @property
    def n_gpu_layers(self) -> int:
        """Parts on GPUs, as llama.cpp counts layers."""
        return len(self.parts) - self.where.count(CPU)

    def on(self, place: int) -> list[LayerMemory]:
        """The parts on a GPU, or on the CPU."""
        return [part for part, at in zip(self.parts, self.where, strict=True) if at == place]

    def cell(self, place: int, type_k: str, type_v: str) -> float:
        """Bytes that one token takes in the cache there."""
        return sum(part.cell(type_k, type_v) for part in self.on(place))

    def __str__(self) -> str:
        """As "25 of 33 layers on NVIDIA H200: 12.1 of 14.0 GiB free"."""
        told = [
            f"{self.where.count(i)} of {len(self.parts)} layers on {gpu.description}:"
            f" {gib(taken)} of {gib(gpu.free)} GiB free"
            for i, (gpu, taken) in enumerate(zip(self.gpus, self.planned_bytes, strict=True))
            if i in self.where
        ]
        return "; ".join(told) or f"all {len(self.parts)} layers on the CPU"


def place(
    header: Header,
    context: ContextOptions,
    gpus: Sequence[Device],
    *,
    n_gpu_layers: int | None = None,
    tensor_split: Sequence[float] = (),
) -> Offload:
    """Put as many layers on GPUs as are asked for; with None as many as fit there, with their cache.

    Several GPUs have the shares of `tensor_split`, or else of what is free; where layers have to fit, of
    what is free for them, so that none is put where there is no room for anything.
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
    """As llama.cpp has it: by the part's place among those on GPUs, where the shares' running sum ends."""
    ends = list(accumulate(shares))
    on_gpus = (bisect_right(ends, i / n_on_gpus * ends[-1]) for i in range(n_on_gpus))
    return (CPU,) * (n_parts - n_on_gpus) + tuple(min(gpu, len(ends) - 1) for gpu in on_gpus)


def _bytes(parts: Sequence[LayerMemory], context: ContextOptions) -> int:
    """Weights, cache and states of some parts."""
    cells = estimate.padded(context.n_ctx) * sum(part.cell(context.type_k, context.type_v) for part in parts)
    return int(cells) + sum(part.weights + context.n_seq_max * part.state for part in parts)


def need(header: Header, context: ContextOptions, *, on_gpu: bool = False) -> MemoryEstimate:
    """What a model takes with a context."""
    asked = context.flash_attention
    # By itself llama.cpp computes attention by blocks on GPUs only, unless values are quantized.
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
    """Cells that there is memory for wherever some of the models' layers are.

    `left` has bytes by a GPU's name, the weights being loaded; the CPU's is empty. Models
    that keep no tokens have the context's cells.
    """
    computing: Counter[str] = Counter()
    per_cell: defaultdict[str, float] = defaultdict(float)
    for header, placement in models:
        compute = need(header, context, on_gpu=True).compute
        for index, name in enumerate(["", *(gpu.name for gpu in placement.gpus)], CPU):
            if n_bytes := placement.cell(index, context.type_k, context.type_v):
                per_cell[name] += n_bytes
                # What the CPU reserves for this is hardly touched.
                computing[name] += compute if name else 0
    fitting = (max(0.0, left[name] - computing[name]) / n_bytes for name, n_bytes in per_cell.items())
    return int(min(fitting, default=context.n_ctx))


# --- whether there is enough ------------------------------------------------------------------------


def check(header: Header, placement: Offload, context: ContextOptions, ram: HostMemory) -> list[str]:
    """What to warn of before a model is loaded; raises ModelLoadFailed where no memory can hold its weights.

    They are read from the file as they are needed: with less free than they take it goes on, slowly.
    """
    needed = need(header, context, on_gpu=placement.n_gpu_layers == len(placement.parts))
    gpus = _with_own_memory(placement)
    total = int(USABLE * ram.total) + sum(gpu.total for gpu in gpus.values())
    if needed.weights > total:
        where = "this container" if ram.is_limited else "this machine"
        raise ModelLoadFailed(
            f"`{header.path}` needs {_told(needed)}, but there are {gib(total)} GiB in {where}"
            f"{' with its GPUs' if gpus else ''}",
            hint=_what_fits(header, total - needed.cache - needed.compute),
        )
    on_cpu = needed.weights - sum(part.weights for i in gpus for part in placement.on(i))
    if on_cpu <= ram.free:
        return []
    return [
        f"`{header.path}` needs {_told(needed)}, but {gib(_free(placement, ram))} GiB are free: what does not"
        " fit is read from the disk again for every token; a smaller quantization is faster"
    ]


def check_context(header: Header, placement: Offload, context: ContextOptions, ram: HostMemory) -> None:
    """Raise ContextError where a context that is asked for takes more than is free: it is never left out."""
    cache, free = need(header, context).cache, _free(placement, ram)
    if cache > free:
        raise ContextError(
            f"a context of {context.n_ctx} cells needs {gib(cache)} GiB, but {gib(free)} GiB are free",
            hint="lower `--ctx-size`",
        )


def _with_own_memory(placement: Offload) -> dict[int, Device]:
    return {i: gpu for i, gpu in enumerate(placement.gpus) if not gpu.is_shared}


def _free(placement: Offload, ram: HostMemory) -> int:
    return ram.free + sum(gpu.free for gpu in _with_own_memory(placement).values())


def _told(needed: MemoryEstimate) -> str:
    parts = ", ".join(f"{name} {gib(getattr(needed, name))}" for name in ("weights", "cache", "compute"))
    return f"{gib(needed.total)} GiB ({parts})"


def _what_fits(header: Header, room: int) -> str:
    trying = "`--no-memory-check` tries it all the same"
    if room < header.n_params / 8:  # less than one bit a weight
        return f"take a smaller model, or lower `--ctx-size` and `--particles`; {trying}"
    return f"take a quantization of {gib(room)} GiB at most, or a smaller model; {trying}"


def gib(n_bytes: float) -> str:
    """So many bytes in GiB, as "4.1"."""
    return f"{n_bytes / 2**30:,.1f}"
