"""Write tiny GGUFs with random weights, for tests that need a file llama.cpp can load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import gguf
import numpy as np

CONTROLS = ("<|end|>", "<|other_end|>", "<|pad|>")
"""Control tokens of a model that is given no others; the first ends a text."""

N_VOCAB, N_EMBD, N_FF, N_LAYER, N_HEAD = 260, 64, 96, 2, 4


def _begin(path: Path, architecture: str, n_vocab: int = N_VOCAB) -> gguf.GGUFWriter:
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name(f"random {architecture}")
    writer.add_context_length(512)
    writer.add_embedding_length(N_EMBD)
    writer.add_block_count(N_LAYER)
    writer.add_vocab_size(n_vocab)
    return writer


def add_tokenizer(writer: gguf.GGUFWriter, controls: Sequence[str] = CONTROLS) -> None:
    # The printable characters that represent the 256 bytes in GPT-2's vocabulary.
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}
    tokens = [letters[byte] for byte in range(256)] + ["ab", *controls]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL] * 257 + [gguf.TokenType.CONTROL] * len(controls))
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(257)
    writer.add_eot_token_id(258)
    writer.add_add_bos_token(False)


def _add_sentencepiece(writer: gguf.GGUFWriter) -> None:
    # Bytes and a space: enough to see the space that llama.cpp prepends to a text.
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "\u2581"]
    kinds = gguf.TokenType
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types([kinds.UNKNOWN, *[kinds.CONTROL] * 2, *[kinds.BYTE] * 256, kinds.NORMAL])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)


def finish(writer: gguf.GGUFWriter, tensors: dict[str, np.ndarray]) -> None:
    """Write the tensors as F32, and close the file."""
    for name, values in tensors.items():
        writer.add_tensor(name, np.ascontiguousarray(values, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_llama(
    path: Path,
    *,
    causal: bool = True,
    context_length: int | None = None,
    sentencepiece: bool = False,
    controls: Sequence[str] = CONTROLS,
    metadata: Mapping[str, bytes | list[bytes]] | None = None,
) -> Path:
    """Write a llama model with 2 layers; `causal=False` marks it as attending to later tokens.

    `controls` are the control tokens, in byte-level vocabularies: the first two end a text. `metadata` adds
    or replaces strings by any bytes, which need be no UTF-8.
    """
    n_vocab = 257 + len(controls)
    writer = _begin(path, "llama", n_vocab)
    writer.add_feed_forward_length(N_FF)
    writer.add_head_count(N_HEAD)
    writer.add_head_count_kv(N_HEAD)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(N_EMBD // N_HEAD)
    if not causal:
        writer.add_causal_attention(False)
    if context_length is not None:
        writer.add_context_length(context_length)
    rng = np.random.default_rng(1)

    def random(*shape: int) -> np.ndarray:
        return rng.normal(size=shape) * shape[-1] ** -0.5

    tensors = {"token_embd.weight": 2 * random(n_vocab, N_EMBD), "output_norm.weight": np.ones(N_EMBD)}
    for layer in range(N_LAYER):
        block = f"blk.{layer}."
        tensors |= {block + f"{norm}_norm.weight": np.ones(N_EMBD) for norm in ("attn", "ffn")}
        tensors |= {
            block + f"attn_{part}.weight": random(N_EMBD, N_EMBD) for part in ("q", "k", "v", "output")
        }
        tensors |= {block + f"ffn_{part}.weight": random(N_FF, N_EMBD) for part in ("gate", "up")}
        tensors[block + "ffn_down.weight"] = random(N_EMBD, N_FF)
    _add_sentencepiece(writer) if sentencepiece else add_tokenizer(writer, controls)
    for key, value in (metadata or {}).items():
        kinds = gguf.GGUFValueType
        writer.kv_data[0][key] = gguf.GGUFValue(
            value, *((kinds.STRING,) if isinstance(value, bytes) else (kinds.ARRAY, kinds.STRING))
        )
    finish(writer, tensors)
    return path


def write_mamba(path: Path) -> Path:
    """Write a mamba model with 2 layers, whose memory of a sequence is one recurrent state."""
    inner, state, rank, conv = 2 * N_EMBD, 16, 4, 4
    writer = _begin(path, "mamba")
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_ssm_conv_kernel(conv)
    writer.add_ssm_inner_size(inner)
    writer.add_ssm_state_size(state)
    writer.add_ssm_time_step_rank(rank)
    rng = np.random.default_rng(2)

    def random(*shape: int) -> np.ndarray:
        return rng.normal(size=shape) * shape[-1] ** -0.5

    tensors = {"token_embd.weight": random(N_VOCAB, N_EMBD), "output_norm.weight": np.ones(N_EMBD)}
    for layer in range(N_LAYER):
        block = f"blk.{layer}."
        tensors |= {
            block + "attn_norm.weight": np.ones(N_EMBD),
            block + "ssm_in.weight": random(2 * inner, N_EMBD),
            block + "ssm_conv1d.weight": random(inner, conv),
            block + "ssm_conv1d.bias": np.zeros(inner),
            block + "ssm_x.weight": random(rank + 2 * state, inner),
            block + "ssm_dt.weight": random(inner, rank),
            block + "ssm_dt.bias": np.full(inner, -2.0),
            block + "ssm_a": -np.tile(np.arange(1, state + 1), (inner, 1)),
            block + "ssm_d": np.ones(inner),
            block + "ssm_out.weight": random(N_EMBD, inner),
        }
    add_tokenizer(writer)
    finish(writer, tensors)
    return path
