"""ggml's quantized blocks with random content: the levels are random bits, the scales set the spread.

A block's layout is that of ggml's struct (`block_q4_K` and so on in llama.cpp's ggml/src/ggml-common.h).
Every level is equally likely, a block's scale has a random sign, and scales within a block are 1. So the
weights have mean 0 and the requested root mean square, without quantizing any weight.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantBlock:
    """A block of `n_weights` levels of `bits` bits each.

    A level q represents the weight scale · (q - 2^(bits-1)). If the block has a minimum, it represents
    scale · (q - middle), where middle is the mean of all levels; `minimum` is the value that ggml stores
    for it, divided by the scale.
    """

    n_weights: int
    bits: int
    layout: np.dtype[Any]
    minimum: float | None = None
    inner_scales: tuple[int, ...] = ()
    """The bytes of the scales (and minima) within a block, with all of them set to 1."""

    @property
    def spread(self) -> float:
        """Root mean square of the dequantized weights, divided by the scale."""
        off_centre = 0.5 if self.minimum is None else 0.0
        return math.sqrt((4**self.bits - 1) / 12 + off_centre**2)


def _layout(*fields: tuple[str, int]) -> np.dtype[Any]:
    """A packed struct: fields with n = 0 are fp16 (scale, minimum), others are n bytes."""
    return np.dtype([(name, "<f2") if n == 0 else (name, "u1", (n,)) for name, n in fields])


_SCALE, _MINIMUM = ("scale", 0), ("minimum", 0)
# Eight scales and eight minima of 6 bits each in 12 bytes: four bytes of scales, four bytes of minima, and
# four bytes with the lower 4 bits of the others, whose upper 2 bits are at the top of the first eight bytes.
_ONES_OF_6_BITS = (1,) * 8 + (0x11,) * 4

BLOCKS = {
    "Q4_0": QuantBlock(n_weights=32, bits=4, layout=_layout(_SCALE, ("levels", 16))),
    "Q8_0": QuantBlock(n_weights=32, bits=8, layout=_layout(_SCALE, ("levels", 32))),
    "Q5_0": QuantBlock(n_weights=32, bits=5, layout=_layout(_SCALE, ("levels", 20))),
    # The only type whose minimum is added, not subtracted.
    "Q5_1": QuantBlock(n_weights=32, bits=5, layout=_layout(_SCALE, _MINIMUM, ("levels", 20)), minimum=-15.5),
    "Q4_K": QuantBlock(
        n_weights=256,
        bits=4,
        layout=_layout(_SCALE, _MINIMUM, ("inner_scales", 12), ("levels", 128)),
        minimum=7.5,
        inner_scales=_ONES_OF_6_BITS,
    ),
    "Q5_K": QuantBlock(
        n_weights=256,
        bits=5,
        layout=_layout(_SCALE, _MINIMUM, ("inner_scales", 12), ("levels", 160)),
        minimum=15.5,
        inner_scales=_ONES_OF_6_BITS,
    ),
    "Q6_K": QuantBlock(
        n_weights=256,
        bits=6,
        layout=_layout(("levels", 192), ("inner_scales", 16), _SCALE),
        inner_scales=(1,) * 16,
    ),
}
"""Block types by ggml name; F16 has no blocks and is handled separately."""


def block_size(type_: str) -> int:
    """Weights per block; 1 for F16."""
    return 1 if type_ == "F16" else BLOCKS[type_].n_weights


def block_bytes(type_: str) -> int:
    """Bytes per block; for F16, per weight."""
    return 2 if type_ == "F16" else BLOCKS[type_].layout.itemsize


def random_blocks(type_: str, n_blocks: int, rms: float, rng: np.random.Generator) -> Bytes:
    """Random blocks as bytes, (n_blocks · block_bytes,); weights have mean 0 and root mean square `rms`."""
    if type_ == "F16":
        return _random_halves(n_blocks, rms, rng)
    block = BLOCKS[type_]
    data = np.empty(n_blocks, block.layout)
    data["levels"] = _random_bytes(data["levels"].size, rng).reshape(data["levels"].shape)
    # q - 2^(bits-1) has mean -1/2, which would accumulate over layers without random signs.
    signs = 1 - 2 * rng.integers(0, 2, n_blocks, dtype=np.int8)
    data["scale"] = signs * np.float16(rms / block.spread)
    if block.minimum is not None:
        data["minimum"] = data["scale"] * np.float16(block.minimum)
    if block.inner_scales:
        data["inner_scales"] = block.inner_scales
    return data.view(np.uint8)


def _random_halves(n: int, rms: float, rng: np.random.Generator) -> Bytes:
    """Weights in fp16: 256 equidistant, equally likely values, which are fast to draw."""
    values = np.arange(256) - 127.5
    values *= rms / math.sqrt((4**8 - 1) / 12)
    return values.astype("<f2")[_random_bytes(n, rng)].view(np.uint8)


def _random_bytes(n: int, rng: np.random.Generator) -> Bytes:
    # Four times as fast as rng.bytes, which draws 32 bits at a time.
    words = rng.integers(0, 2**64, -(-n // 8), dtype=np.uint64)
    return words.view(np.uint8)[:n]
