"""GGUF files of real shapes with random weights: for measuring time, never for their text.

The quantized blocks are random bytes with scales that keep every activation near 1, written one
tensor at a time, so a file takes seconds and no F32 copy of it ever exists. The tokenizer is valid
and useless: one token a byte, fillers up to the real vocabulary's size. Needs `gguf`, which the
extras `localsmc[test]` and `localsmc[train]` bring.

A pair is a target and a draft, the target's first layers with its embedding and output. What the
target's later layers add is scaled down until the draft is as good as a small model of a family is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

__all__ = ["PAIRS", "SHAPES", "Pair", "Shape", "cached", "cached_pair", "write", "write_draft"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The sizes of a qwen2 model; embedding and output matrix are one."""

    n_layer: int
    n_embd: int
    n_head: int
    n_head_kv: int
    n_ff: int
    n_vocab: int
    n_ctx: int = 32_768

    @property
    def n_kv(self) -> int:
        """Width of the keys and of the values."""
        return self.n_embd // self.n_head * self.n_head_kv


SHAPES = {
    # https://huggingface.co/Qwen/Qwen2.5-0.5B/blob/main/config.json
    "qwen2.5-0.5b": Shape(n_layer=24, n_embd=896, n_head=14, n_head_kv=2, n_ff=4864, n_vocab=151_936),
    # https://huggingface.co/Qwen/Qwen2.5-1.5B/blob/main/config.json
    "qwen2.5-1.5b": Shape(n_layer=28, n_embd=1536, n_head=12, n_head_kv=2, n_ff=8960, n_vocab=151_936),
    "test": Shape(n_layer=2, n_embd=64, n_head=4, n_head_kv=2, n_ff=128, n_vocab=512, n_ctx=512),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """How a target and its draft come from a shape: the draft has the first `n_layer` layers.

    `later` scales what the layers behind them add, `sharpness` all logits of both models.
    """

    n_layer: int
    later: float = 1.0
    sharpness: float = 1.0


PAIRS = {
    # `later` is what `python -m localsmc_models.pairs --shape ... --calibrate` ends with. Logits of
    # random weights have a spread of 1, nearly uniform laws whose likeliest tokens nobody agrees on;
    # 8 times that is what leaves 1.4 nats, 0.6 of them the likeliest token's, as in a language model.
    "qwen2.5-1.5b": Pair(n_layer=6, later=0.0806, sharpness=8.0),
    "test": Pair(n_layer=1, later=0.22, sharpness=6.0),
}

BLOCK = 32
"""Weights a block, in Q4_0 and Q8_0 alike: a scale in fp16, then the levels."""

SPREADS = {"Q4_0": np.sqrt(21.5), "Q8_0": np.sqrt(5461.5)}
"""Root mean square of the levels, -8 to 7 and -128 to 127, all equally likely."""

LEVEL_BYTES = {"Q4_0": 16, "Q8_0": 32}

EMBEDDING = "Q8_0"
"""What `llama-quantize` takes for a matrix that is embedding and output at once, 896 wide, in a Q4_0 file."""

END = "<|im_end|>"

VERSION = 1
"""Part of a cached file's name; raise it when `write` changes."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor to write; `kind` is a quantization, "ones" or "zeros" for a vector in F32, times `scale`."""

    name: str
    n_out: int
    n_in: int
    kind: str
    scale: float = 1.0

    @property
    def byte_shape(self) -> tuple[int, int]:
        """Rows, and the bytes of one, of a quantized matrix."""
        return self.n_out, self.n_in // BLOCK * (2 + LEVEL_BYTES[self.kind])


def cached(shape_name: str = "qwen2.5-0.5b", quantization: str = "Q4_0", seed: int = 1) -> Path:
    """The file in the cache folder (`LOCALSMC_CACHE`, or the user's), written where it is not there."""
    name = f"{shape_name}-{quantization}-{seed}"
    return _in_cache(name, lambda path: write(path, shape_name, quantization, seed))


def cached_pair(
    shape_name: str = "qwen2.5-1.5b", quantization: str = "Q4_0", seed: int = 1
) -> tuple[Path, Path]:
    """Target and draft in the cache folder, written where they are not there. KeyError as for `write`."""
    pair = PAIRS[shape_name]
    name = f"{shape_name}-{quantization}-{seed}-{pair.n_layer}-{pair.later:g}-{pair.sharpness:g}"
    target = _in_cache(f"{name}-target", lambda path: write(path, shape_name, quantization, seed, pair))
    draft = _in_cache(f"{name}-draft", lambda path: write_draft(path, shape_name, quantization, seed, pair))
    return target, draft


def _in_cache(name: str, write_to: Callable[[Path], None]) -> Path:
    folder = Path(os.environ.get("LOCALSMC_CACHE") or platformdirs.user_cache_dir("localsmc")) / "synthetic"
    path = folder / f"{name}-v{VERSION}.gguf"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        # Another process may do the same: each writes a file of its own, and the last one stays.
        partial = path.with_suffix(f".{os.getpid()}.partial")
        try:
            write_to(partial)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    return path


def write(
    path: Path,
    shape_name: str = "qwen2.5-0.5b",
    quantization: str = "Q4_0",
    seed: int = 1,
    pair: Pair | None = None,
) -> None:
    """Write the model, or a pair's target; the same arguments give the same weights.

    KeyError for an unknown name.
    """
    shape = SHAPES[shape_name]
    pair = Pair(n_layer=shape.n_layer) if pair is None else pair
    _write(path, f"{shape_name}, random weights", shape, quantization, seed, pair)


def write_draft(path: Path, shape_name: str, quantization: str, seed: int, pair: Pair) -> None:
    """Write the draft of the target that `write` makes of the same arguments."""
    # Weights are drawn in file order: the first layers come out the same.
    shape = replace(SHAPES[shape_name], n_layer=pair.n_layer)
    _write(path, f"{shape_name}, random weights, draft", shape, quantization, seed, pair)


def _write(path: Path, name: str, shape: Shape, quantization: str, seed: int, pair: Pair) -> None:
    gguf = _gguf()
    tensors = tuple(_tensors(shape, quantization, pair))
    writer = gguf.GGUFWriter(path, arch="qwen2")
    writer.add_name(name)
    writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{quantization}"])
    _add_shape(writer, shape)
    _add_tokenizer(writer, gguf, shape.n_vocab)
    for tensor in tensors:
        if tensor.kind in LEVEL_BYTES:
            raw = gguf.GGMLQuantizationType[tensor.kind]
            writer.add_tensor_info(
                tensor.name, tensor.byte_shape, np.dtype(np.uint8), np.prod(tensor.byte_shape), raw
            )
        else:
            writer.add_tensor_info(tensor.name, (tensor.n_out,), np.dtype(np.float32), tensor.n_out * 4)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    rng = np.random.default_rng(seed)
    for tensor in tensors:
        writer.write_tensor_data(_data(tensor, rng))
    writer.close()


def _gguf() -> Any:
    try:
        import gguf
    except ImportError as error:
        raise SystemExit("the package `gguf` is missing: pip install 'localsmc[test]'") from error
    return gguf


def _add_shape(writer: Any, shape: Shape) -> None:
    writer.add_context_length(shape.n_ctx)
    writer.add_embedding_length(shape.n_embd)
    writer.add_block_count(shape.n_layer)
    writer.add_feed_forward_length(shape.n_ff)
    writer.add_head_count(shape.n_head)
    writer.add_head_count_kv(shape.n_head_kv)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e6)


def _add_tokenizer(writer: Any, gguf: Any, n_vocab: int) -> None:
    letters = _byte_letters()
    # llama.cpp wants a list of merges, and one is a list.
    merge = "a b"
    known = [*letters, merge.replace(" ", ""), END]
    tokens = [*known, *(f"<filler_{i}>" for i in range(len(known), n_vocab))]
    kinds = [gguf.TokenType.CONTROL if token == END else gguf.TokenType.NORMAL for token in tokens]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([merge])
    writer.add_eos_token_id(tokens.index(END))
    writer.add_bos_token_id(tokens.index(END))
    writer.add_add_bos_token(False)


def _byte_letters() -> list[str]:
    """The letter that stands for each byte in a GPT-2 vocabulary: itself, or one above 255."""
    plain = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte if byte in plain else next(others)) for byte in range(256)]


def _tensors(shape: Shape, kind: str, pair: Pair) -> Iterator[Tensor]:
    """Every tensor of the model, in file order."""
    n_embd, n_kv, n_ff = shape.n_embd, shape.n_kv, shape.n_ff
    yield Tensor("token_embd.weight", shape.n_vocab, n_embd, EMBEDDING)
    yield Tensor("output_norm.weight", n_embd, 1, "ones", pair.sharpness)
    for layer in range(shape.n_layer):
        block, scale = f"blk.{layer}", 1.0 if layer < pair.n_layer else pair.later
        for part, n_out in ("q", n_embd), ("k", n_kv), ("v", n_kv):
            yield Tensor(f"{block}.attn_{part}.weight", n_out, n_embd, kind)
            yield Tensor(f"{block}.attn_{part}.bias", n_out, 1, "zeros")
        yield Tensor(f"{block}.attn_output.weight", n_embd, n_embd, kind, scale)
        for part in "gate", "up":
            yield Tensor(f"{block}.ffn_{part}.weight", n_ff, n_embd, kind)
        yield Tensor(f"{block}.ffn_down.weight", n_embd, n_ff, kind, scale)
        for part in "attn", "ffn":
            yield Tensor(f"{block}.{part}_norm.weight", n_embd, 1, "ones")


def _data(tensor: Tensor, rng: np.random.Generator) -> NDArray[Any]:
    if tensor.kind not in LEVEL_BYTES:
        return np.full(tensor.n_out, tensor.scale * (tensor.kind == "ones"), np.float32)
    n_bytes = LEVEL_BYTES[tensor.kind]
    n_blocks = tensor.n_out * tensor.n_in // BLOCK
    data = np.empty((n_blocks, 2 + n_bytes), np.uint8)
    data[:, 2:] = np.frombuffer(rng.bytes(n_blocks * n_bytes), np.uint8).reshape(n_blocks, n_bytes)
    # Levels have a mean of -1/2, which adds up over layers; scales of either sign take it away.
    signs = rng.integers(0, 2, n_blocks) * 2 - 1
    scale = tensor.scale / (SPREADS[tensor.kind] * np.sqrt(tensor.n_in))
    data[:, :2] = (signs * scale).astype("<f2")[:, None].view(np.uint8)
    return data.reshape(tensor.byte_shape)
