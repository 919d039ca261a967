"""Check that a header describes a complete language model that llama.cpp can load."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

from localsmc.gguf.cursor import Cursor
from localsmc.gguf.header import ArrayInfo, Header, TensorInfo
from localsmc.gguf.refusals import AGAIN, CONVERT, NO_MODEL, damaged, refused

# First bytes of other file types: (magic, description, hint).
_FOREIGN: tuple[tuple[bytes | tuple[bytes, ...], str, str], ...] = (
    (b"version https://git-lfs", "a git-LFS pointer, not the model itself", "run: git lfs pull"),
    (b"PK\x03\x04", "a zip archive, probably a PyTorch checkpoint", CONVERT),
    (b"\x80\x02", "a Python pickle, probably a PyTorch checkpoint", CONVERT),
    (b"\x1f\x8b", "a gzip archive", "unpack it and give the GGUF file inside"),
    (b"FUGG", "a byte-swapped GGUF file", "use the little-endian file of this model"),
    ((b"tjgg", b"fmgg", b"lmgg"), "a GGML file from before GGUF (August 2023)", CONVERT),
    (b"{", "a JSON file", "give the GGUF file, not its index or configuration"),
    (bytes(16), "only zeros, probably an unfinished download", AGAIN),
)


# GGUF files that are not language models: (key, value) -> description.
_NOT_MODELS = {
    ("general.type", "adapter"): "a LoRA adapter",
    ("general.type", "mmproj"): "a vision or audio projector (mmproj)",
    ("general.type", "imatrix"): "an importance matrix",
    ("general.architecture", "clip"): "a vision or audio projector (mmproj)",
    ("general.architecture", "controlvector"): "a control vector",
}


def _foreign_kind(head: bytes) -> tuple[str, str]:
    """Describe a file by its first bytes; returns a description and a hint."""
    for magic, what, hint in _FOREIGN:
        if head.startswith(magic):
            return what, hint
    # A safetensors file is the length of its JSON, then the JSON.
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 32:
        return "a safetensors file", CONVERT
    if re.match(rb"\s*<(!doctype|html|\?xml)", head, re.IGNORECASE):
        return "a web page saved under the model's name", "use the link that downloads the file itself"
    if len(head) < 24:
        return "a file cut after a few bytes", AGAIN
    return "some other kind of file", NO_MODEL


def _check_layout(cursor: Cursor, tensors: tuple[TensorInfo, ...], alignment: int) -> None:
    """Check that no two tensors share a name or a byte, and that the file contains all of them."""
    path = cursor.path
    if len({tensor.name for tensor in tensors}) < len(tensors):
        raise damaged(path, "two tensors have the same name")
    for tensor in tensors:
        if tensor.offset % alignment:
            raise damaged(path, f"the data of {tensor.name!r} does not start at a multiple of {alignment}")
    ordered = sorted(tensors, key=lambda tensor: (tensor.offset, tensor.n_bytes))
    for before, after in pairwise(ordered):
        if before.offset + before.n_bytes > after.offset:
            raise damaged(path, f"the data of {before.name!r} and {after.name!r} overlap")
    if ordered:
        start = -(-cursor.pos // alignment) * alignment
        needed = start + ordered[-1].offset + ordered[-1].n_bytes
        if needed > cursor.size:
            what = f"is truncated: its tensors end at byte {needed:,} and the file at {cursor.size:,}"
            raise refused(path, what, AGAIN)


_LONGEST_NAME = 64
"""Characters: three times as many as the longest name that llama.cpp knows."""


def _check_model(header: Header) -> None:
    """Check that the file contains a language model: an architecture, weights and a vocabulary."""
    path, metadata = header.path, header.metadata
    for key, value in _NOT_MODELS:
        if metadata.get(key) == value:
            raise refused(path, f"is {_NOT_MODELS[key, value]}, not a language model", NO_MODEL)
    architecture = _checked_architecture(path, metadata)
    tokens = metadata.get("tokenizer.ggml.tokens")
    if not header.tensors:
        content = "a vocabulary but no weights" if isinstance(tokens, ArrayInfo) else "no tensors"
        raise refused(path, f"contains {content}", NO_MODEL)
    if not isinstance(metadata.get("tokenizer.ggml.model"), str) or tokens is None:
        raise refused(path, "has no tokenizer", NO_MODEL)
    length = metadata.get(f"{architecture}.context_length", 1)
    if not isinstance(length, int) or not 0 < length < 1 << 31:  # llama.cpp would read it as 0 or negative
        raise damaged(path, f"{architecture}.context_length is {length!r}")
    _check_vocabulary(path, metadata)


def _checked_architecture(path: Path, metadata: dict[str, object]) -> str:
    architecture = metadata.get("general.architecture")
    if not isinstance(architecture, str) or not architecture:
        raise refused(path, "does not name its architecture", AGAIN)
    for key in filter(_is_read_by_llama_cpp, metadata):
        text = metadata[key]
        if isinstance(text, str) and "\0" in text:  # llama.cpp's C strings would end there
            raise damaged(path, f"{key} contains a NUL character")
    if len(architecture) > _LONGEST_NAME:
        raise damaged(path, f"general.architecture has {len(architecture):,} characters")
    if not architecture.isprintable():
        raise damaged(path, f"general.architecture is {architecture!r}")
    return architecture


def _is_read_by_llama_cpp(key: str) -> bool:
    """Whether a text under the key has an effect on what a model is or does."""
    return key == "general.architecture" or key.startswith("tokenizer.")


def _check_vocabulary(path: Path, metadata: dict[str, object]) -> None:
    """Check array lengths: llama.cpp indexes scores and types by token without checking them."""
    tokens = metadata["tokenizer.ggml.tokens"]
    if not isinstance(tokens, ArrayInfo) or tokens.type != "string" or not tokens.length:
        raise damaged(path, "tokenizer.ggml.tokens is not a list of strings")
    for key, types in ("scores", ("float32",)), ("token_type", ("int32", "uint32")):
        array = metadata.get(f"tokenizer.ggml.{key}")
        if array is not None and array not in [ArrayInfo(type_, tokens.length) for type_ in types]:
            raise damaged(path, f"tokenizer.ggml.{key} does not match the {tokens.length:,} tokens")
