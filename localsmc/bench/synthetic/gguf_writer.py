"""Write GGUF files with random weights in real shapes, for measuring time; their output is meaningless.

Weights are generated directly as quantized blocks, some megabytes at a time. So writing takes seconds to a
minute and little memory, and no F16 or F32 copy exists. Activations stay near 1. The tokenizer is valid
but minimal: one token per byte, and fillers up to the vocabulary's size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from localsmc.bench.synthetic.file_spec import FileSpec
from localsmc.bench.synthetic.quant_mix import tensor_type
from localsmc.bench.synthetic.random_blocks import Bytes, block_bytes, block_size, random_blocks
from localsmc.bench.synthetic.shapes import ModelShape, ShapePair

END = "<|im_end|>"

OnProgress = Callable[[int, int], None]
"""Receives the bytes of tensors written so far, and in total."""

_SLICE = 2**24
"""Number of weights drawn at once; changing it changes the weights of a seed."""

_TOKEN_BYTES = 32  # upper estimate for the text and type of a token in the file


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A tensor to write: a matrix (n_out, n_in), or an F32 vector if n_in is 1.

    A matrix has random weights with a root mean square of scale / √n_in; a vector is filled with `scale`.
    `layer` counts from 0; it is -1 for tensors outside the layers.
    """

    name: str
    n_out: int
    n_in: int = 1
    type: str = "F32"
    scale: float = 1.0
    layer: int = -1

    @property
    def n_bytes(self) -> int:
        """Size of the data in the file, without padding."""
        if self.type == "F32":
            return 4 * self.n_out
        return self.n_out * self.n_in // block_size(self.type) * block_bytes(self.type)

    @property
    def shape(self) -> tuple[int, ...]:
        """Dimensions, rows first."""
        return (self.n_out,) if self.type == "F32" else (self.n_out, self.n_in)


def tensors(spec: FileSpec, pair: ShapePair | None = None) -> list[Tensor]:
    """Every tensor of a model, or of a pair's target, in file order."""
    shape = spec.shape
    pair = ShapePair(n_layer=shape.n_layer) if pair is None else pair
    found = list(_ends(spec, pair.sharpness))
    for layer in range(shape.n_layer):
        found += _layer(spec, layer, 1.0 if layer < pair.n_layer else pair.later)
    return found


def _ends(spec: FileSpec, sharpness: float) -> Iterator[Tensor]:
    """The tensors outside the layers: embedding, output and output norm."""
    shape = spec.shape
    for part in ("token_embd",) if shape.is_tied else ("token_embd", "output"):
        kind = tensor_type(spec.quantization, shape, part, shape.n_embd)
        yield Tensor(name=f"{part}.weight", n_out=shape.n_vocab, n_in=shape.n_embd, type=kind)
    yield Tensor(name="output_norm.weight", n_out=shape.n_embd, scale=sharpness)


def _layer(spec: FileSpec, layer: int, scale: float) -> Iterator[Tensor]:
    """The tensors of a layer; its two output matrices are scaled."""
    shape = spec.shape
    n_embd, n_kv, n_ff = shape.n_embd, shape.n_kv, shape.n_ff

    def matrix(part: str, n_out: int, n_in: int, scale: float = 1.0) -> Tensor:
        kind = tensor_type(spec.quantization, shape, part, n_in, layer)
        name = f"blk.{layer}.{part}.weight"
        return Tensor(name=name, n_out=n_out, n_in=n_in, type=kind, scale=scale, layer=layer)

    for part, n_out in ("attn_q", n_embd), ("attn_k", n_kv), ("attn_v", n_kv):
        yield matrix(part, n_out, n_embd)
        if shape.has_biases:
            yield Tensor(name=f"blk.{layer}.{part}.bias", n_out=n_out, scale=0.0, layer=layer)
    yield matrix("attn_output", n_embd, n_embd, scale)
    for part in "ffn_gate", "ffn_up":
        yield matrix(part, n_ff, n_embd)
    yield matrix("ffn_down", n_embd, n_ff, scale)
    for part in "attn_norm", "ffn_norm":
        yield Tensor(name=f"blk.{layer}.{part}.weight", n_out=n_embd, layer=layer)


def file_bytes(spec: FileSpec) -> int:
    """Estimated file size in bytes: all tensors, and the tokens."""
    return sum(tensor.n_bytes for tensor in tensors(spec)) + _TOKEN_BYTES * spec.shape.n_vocab


def write(
    path: Path,
    spec: FileSpec,
    *,
    seed: int = 1,
    pair: ShapePair | None = None,
    progress: OnProgress | None = None,
) -> None:
    """Write the model, or a pair's target; the same arguments give the same weights.

    Raises OSError, and then leaves a partial file.
    """
    _write(path, f"{spec}, random weights", spec, tensors(spec, pair), seed, progress)


def write_draft(path: Path, spec: FileSpec, pair: ShapePair, *, seed: int = 1) -> None:
    """Write the draft for the target that `write` creates with the same arguments."""
    # Weights are drawn in file order, so the first layers are the same as in the target.
    own = [tensor for tensor in tensors(spec, pair) if tensor.layer < pair.n_layer]
    _write(path, f"{spec}, random weights, draft", spec, own, seed, None)


def _write(
    path: Path, name: str, spec: FileSpec, own: list[Tensor], seed: int, progress: OnProgress | None
) -> None:
    import gguf  # only needed for writing

    shape = spec.shape
    with closing(gguf.GGUFWriter(path, arch=shape.architecture)) as writer:
        writer.add_name(name)
        writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{spec.quantization}"])
        _add_shape(writer, shape, n_layer=1 + own[-1].layer)
        _add_tokenizer(writer, shape.n_vocab)
        for tensor in own:
            kind = gguf.GGMLQuantizationType[tensor.type]
            writer.add_tensor_info(tensor.name, tensor.shape, np.dtype(np.float32), tensor.n_bytes, kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        _write_data(writer, own, np.random.default_rng(seed), progress)


def _write_data(
    writer: Any, own: list[Tensor], rng: np.random.Generator, progress: OnProgress | None
) -> None:
    # GGUFWriter would write whole tensors at once, some of a gigabyte.
    file: BinaryIO = writer.fout[0]
    writer.write_padding(file, file.tell())
    written, total = 0, sum(tensor.n_bytes for tensor in own)
    for tensor in own:
        for part in _data(tensor, rng):
            file.write(part.data)
            written += part.nbytes
            if progress:
                progress(written, total)
        writer.write_padding(file, tensor.n_bytes)


def _data(tensor: Tensor, rng: np.random.Generator) -> Iterator[Bytes]:
    """The bytes of a tensor, slice by slice."""
    if tensor.type == "F32":
        yield np.full(tensor.n_out, tensor.scale, "<f4").view(np.uint8)
        return
    rms = tensor.scale / np.sqrt(tensor.n_in)
    n_blocks = tensor.n_out * tensor.n_in // block_size(tensor.type)
    at_once = _SLICE // block_size(tensor.type)
    for start in range(0, n_blocks, at_once):
        yield random_blocks(tensor.type, min(at_once, n_blocks - start), rms, rng)


def _add_shape(writer: Any, shape: ModelShape, n_layer: int) -> None:
    writer.add_context_length(shape.n_ctx)
    writer.add_embedding_length(shape.n_embd)
    writer.add_block_count(n_layer)
    writer.add_feed_forward_length(shape.n_ff)
    writer.add_head_count(shape.n_head)
    writer.add_head_count_kv(shape.n_head_kv)
    writer.add_layer_norm_rms_eps(shape.rms_eps)
    writer.add_rope_freq_base(shape.rope_base)


def _add_tokenizer(writer: Any, n_vocab: int) -> None:
    from gguf import TokenType

    # llama.cpp requires a non-empty list of merges.
    merge = "a b"
    known = [*_byte_letters(), merge.replace(" ", ""), END]
    tokens = [*known, *(f"<filler_{i}>" for i in range(len(known), n_vocab))]
    kinds = [TokenType.CONTROL if token == END else TokenType.NORMAL for token in tokens]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([merge])
    writer.add_eos_token_id(tokens.index(END))
    writer.add_bos_token_id(tokens.index(END))
    writer.add_add_bos_token(False)


def _byte_letters() -> list[str]:
    """The character for each byte in a GPT-2 vocabulary: the byte itself, or a code point above 255."""
    plain = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte if byte in plain else next(others)) for byte in range(256)]
