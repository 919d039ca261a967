"""The header of a GGUF file: what the file says it is, and whether that can be true.

Owns the format: magic, version, metadata, tensor table, file length, the parts of a split model.  Reads no
tensor data and allocates nothing in proportion to a count it finds in the file.  Does not know llama.cpp:
whether hyper-parameters, vocabulary and tensors fit together is for a trial load to find out (`probe.py`).
"""

from __future__ import annotations

import math
import mmap
import re
import stat
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from struct import Struct

from localsmc.errors import ModelLoadFailed, ModelNotFound
from localsmc.gguf.tensor_types import FILE_TYPES, GUESSED, TENSOR_TYPES, rows

AGAIN = "download the file again, and compare its size or sha256 with its source"
CONVERT = "look for a GGUF of this model, or convert it with llama.cpp's convert_hf_to_gguf.py"
UPDATE = "llama-cpp-python or localsmc may be older than the file: update both, or take another quantization"
NO_MODEL = "give a GGUF file of a whole language model"


# Value types of the specification: number, name, code of `struct`.
_SCALARS = {
    int(number): (name, Struct("<" + code))
    for number, name, code in rows(
        "0 uint8 B, 1 int8 b, 2 uint16 H, 3 int16 h, 4 uint32 I, 5 int32 i, 6 float32 f, 7 bool ?, "
        "10 uint64 Q, 11 int64 q, 12 float64 d"
    )
}
_STRING, _ARRAY = 8, 9
_U32, _U64 = _SCALARS[4][1], _SCALARS[10][1]

# How other files begin -> what they are, what to do.
_FOREIGN: tuple[tuple[bytes | tuple[bytes, ...], str, str], ...] = (
    (b"version https://git-lfs", "a git-LFS pointer, not the model itself", "run: git lfs pull"),
    (b"PK\x03\x04", "a zip archive, most likely a PyTorch checkpoint", CONVERT),
    (b"\x80\x02", "a Python pickle, most likely a PyTorch checkpoint", CONVERT),
    (b"\x1f\x8b", "a gzip archive", "unpack it and give the GGUF file inside"),
    (b"FUGG", "a byte-swapped GGUF file", "take the little-endian file of this model"),
    ((b"tjgg", b"fmgg", b"lmgg"), "a GGML file from before GGUF (August 2023)", CONVERT),
    (b"{", "a JSON file", "give the GGUF file, not its index or configuration"),
    (bytes(16), "a run of zeros, most likely an unfinished download", AGAIN),
)

# Files that are GGUF and not language models: (key, value) -> what they are.
_NOT_MODELS = {
    ("general.type", "adapter"): "a LoRA adapter",
    ("general.type", "mmproj"): "a vision or audio projector (mmproj)",
    ("general.type", "imatrix"): "an importance matrix",
    ("general.architecture", "clip"): "a vision or audio projector (mmproj)",
    ("general.architecture", "controlvector"): "a control vector",
}

# A count above these is corruption: far beyond any model, small enough that a loop over it ends.
_MAX_ENTRIES = 1 << 20  # metadata keys, tensors
_MAX_STRINGS = 1 << 24  # strings of one array; the largest vocabularies have 2^18
_MAX_TEXT = 1 << 24  # bytes of one value; chat templates have 2^14
_MAX_KEY = (1 << 16) - 1  # the specification's
_MAX_NAME = 63  # GGML_MAX_NAME less the terminator
_MAX_DIMS = 4  # GGML_MAX_DIMS
_MAX_ELEMENTS = (1 << 63) - 1  # ggml counts in int64
_MAX_VALUES = 1 << 10  # whole numbers of an array that are kept; LLAMA_MAX_LAYERS is 512
_MAX_PARTS = 99_999  # five digits in the name of a part

_PART_NAME = re.compile(r"(?P<stem>.+)-\d{5}-of-\d{5}\.gguf")


@dataclass(frozen=True, slots=True)
class ArrayInfo:
    """An array of the metadata, by the type and number of its elements.

    `values` has them where they are few and whole numbers, as what differs by layer is.
    """

    type: str
    length: int
    values: tuple[int, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One row of the tensor table; `offset` counts from the start of the data of its own part."""

    name: str
    shape: tuple[int, ...]
    type: str
    offset: int
    n_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a model file says of itself; of a split model, all parts together."""

    path: Path
    parts: tuple[Path, ...]
    size: int  # bytes, of all parts
    version: int
    metadata: dict[str, object]
    tensors: tuple[TensorInfo, ...]

    @property
    def architecture(self) -> str:
        """The name llama.cpp dispatches on, as "llama" or "qwen2"."""
        return str(self.metadata["general.architecture"])

    @property
    def name(self) -> str:
        """The model's own name, or the file's where it has none."""
        name = self.metadata.get("general.name")
        return name if isinstance(name, str) and name else self.path.stem

    @property
    def file_type(self) -> str:
        """The quantization mix, as "Q4_K_M"; "unknown" where the file does not say."""
        number = self.metadata.get("general.file_type")
        if not isinstance(number, int) or not 0 <= number & ~GUESSED < len(FILE_TYPES):
            return "unknown"
        return FILE_TYPES[number & ~GUESSED].replace("-", "unknown")

    @property
    def n_params(self) -> int:
        """The number of elements in all tensors."""
        return sum(math.prod(tensor.shape) for tensor in self.tensors)


def read_header(path: Path) -> Header:
    """Read and check everything in front of the tensor data, and that the data can be there.

    Raises ModelNotFound or ModelLoadFailed.
    """
    first = _read_part(path)
    parts = [first, *map(_read_part, _siblings(first))]
    for number, part in enumerate(parts[1:], 1):
        if part.metadata.get("split.no") != number:
            raise _damaged(part.path, f"it should be part {number + 1} of {len(parts)} and says otherwise")
    header = replace(
        first,
        parts=tuple(part.path for part in parts),
        size=sum(part.size for part in parts),
        tensors=tuple(tensor for part in parts for tensor in part.tensors),
    )
    _check_model(header)
    return header


class _Cursor:
    """A position in the mapped file; every step is checked against the file's end."""

    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self.path, self.data, self.size = path, data, len(data)
        self.pos = 0
        self.section = "header"

    def skip(self, n_bytes: int) -> int:
        """Step over `n_bytes` and return where they began."""
        start = self.pos
        if n_bytes > self.size - start:
            what = f"is truncated or damaged: its {self.section} runs past the end of the file"
            raise _refused(self.path, what, AGAIN)
        self.pos += n_bytes
        return start

    def number(self, kind: Struct) -> int:
        value: int = kind.unpack_from(self.data, self.skip(kind.size))[0]
        return value

    def count(self, what: str, limit: int) -> int:
        n = self.number(_U64)
        if n > limit:
            raise _damaged(self.path, f"{n:,} {what}")
        return n

    def text(self, what: str, limit: int) -> str:
        n_bytes = self.count(f"bytes in {what}", limit)
        start = self.skip(n_bytes)
        return self.data[start : start + n_bytes].decode("utf-8", errors="replace")

    def skip_strings(self, n: int) -> None:
        """Step over `n` strings; the loop is bare because a vocabulary has hundreds of thousands."""
        data, pos, last, unpack = self.data, self.pos, self.size - 8, _U64.unpack_from
        for _ in range(n):
            if pos > last:
                pos = self.size + 1
                break
            pos += 8 + unpack(data, pos)[0]
        self.skip(pos - self.pos)


def _refused(path: Path, what: str, hint: str) -> ModelLoadFailed:
    return ModelLoadFailed(f"`{path}` {what}", hint=hint)


def _damaged(path: Path, what: str) -> ModelLoadFailed:
    return _refused(path, f"is damaged: {what}", AGAIN)


def _read_part(path: Path) -> Header:
    try:
        _check_regular(path)
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _parse(_Cursor(path, data))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelNotFound(f"`{path}` does not exist", hint="check the path for a typing error") from error
    except OSError as error:
        what = f"cannot be read: {error.strerror or type(error).__name__}"
        raise _refused(path, what, "check the path and its permissions") from error


def _check_regular(path: Path) -> None:
    if "\0" in str(path):
        raise ModelNotFound(f"`{path!r}` names no file", hint="take the NUL character out of the path")
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        found = sorted(path.glob("*.gguf"))
        hint = f"give a file inside it: {found[0]}" if found else "give the GGUF file itself"
        raise _refused(path, "is a directory, not a GGUF file", hint)
    if not stat.S_ISREG(status.st_mode):  # opening a named pipe would wait for ever
        raise _refused(path, "is not a regular file", "copy the model to a file first")
    if status.st_size == 0:
        raise _refused(path, "is empty", AGAIN)


def _parse(cursor: _Cursor) -> Header:
    _check_magic(cursor)
    version = _read_version(cursor)
    n_tensors = cursor.count("tensors", _MAX_ENTRIES)
    n_keys = cursor.count("metadata keys", _MAX_ENTRIES)
    cursor.section = "metadata"
    metadata = _read_metadata(cursor, n_keys)
    cursor.section = "tensor table"
    tensors = tuple(_read_tensor(cursor) for _ in range(n_tensors))
    _check_layout(cursor, tensors, _alignment(cursor.path, metadata))
    path, size = cursor.path, cursor.size
    return Header(path=path, parts=(path,), size=size, version=version, metadata=metadata, tensors=tensors)


def _check_magic(cursor: _Cursor) -> None:
    head = cursor.data[:512]
    if head.startswith(b"GGUF"):
        cursor.skip(4)
        return
    what, hint = _foreign_kind(head)
    raise _refused(cursor.path, f"is not a GGUF file: it looks like {what}", hint)


def _foreign_kind(head: bytes) -> tuple[str, str]:
    """What the file is, by its first bytes, and what to do about it."""
    for magic, what, hint in _FOREIGN:
        if head.startswith(magic):
            return what, hint
    # A safetensors file is the length of its JSON, then the JSON.
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 32:
        return "a safetensors file", CONVERT
    if re.match(rb"\s*<(!doctype|html|\?xml)", head, re.IGNORECASE):
        return "a web page saved under the model's name", "use the link that downloads the file itself"
    if len(head) < 24:
        return "the first few bytes of something", AGAIN
    return "something else", NO_MODEL


def _read_version(cursor: _Cursor) -> int:
    version = cursor.number(_U32)
    if version in (2, 3):
        return version
    if version & 0xFFFF == 0 and version:  # as llama.cpp tells it: the bytes of a small number, reversed
        what, hint = "is a big-endian GGUF file", "take the little-endian file of this model"
    elif version == 1:
        what, hint = "is a GGUF file of version 1, which llama.cpp no longer reads", CONVERT
    else:
        what, hint = f"is a GGUF file of version {version}; this release knows 2 and 3", UPDATE
    raise _refused(cursor.path, what, hint)


def _read_metadata(cursor: _Cursor, n_keys: int) -> dict[str, object]:
    metadata: dict[str, object] = {}
    for _ in range(n_keys):
        key = cursor.text("a metadata key", _MAX_KEY)
        if not key or "\ufffd" in key:
            raise _damaged(cursor.path, f"a metadata key is {key!r}")
        if key in metadata:
            raise _damaged(cursor.path, f"the metadata key {key!r} appears twice")
        metadata[key] = _read_value(cursor, key)
    return metadata


def _read_value(cursor: _Cursor, key: str) -> object:
    kind = cursor.number(_U32)
    if kind == _STRING:
        return cursor.text(f"the value of {key!r}", _MAX_TEXT)
    if kind == _ARRAY:
        return _read_array(cursor, key)
    if kind not in _SCALARS:
        raise _damaged(cursor.path, f"the value of {key!r} has the unknown type {kind}")
    return cursor.number(_SCALARS[kind][1])


def _read_array(cursor: _Cursor, key: str) -> ArrayInfo:
    kind = cursor.number(_U32)
    if kind == _STRING:
        length = cursor.count(f"strings in {key!r}", _MAX_STRINGS)
        cursor.skip_strings(length)
        return ArrayInfo("string", length)
    if kind not in _SCALARS:
        raise _damaged(cursor.path, f"the array {key!r} has elements of the unknown type {kind}")
    name, element = _SCALARS[kind]
    length = cursor.number(_U64)
    start = cursor.skip(length * element.size)
    if length > _MAX_VALUES or name.startswith("float"):
        return ArrayInfo(name, length)
    data = cursor.data[start : cursor.pos]
    return ArrayInfo(name, length, tuple(int(value) for (value,) in element.iter_unpack(data)))


def _alignment(path: Path, metadata: dict[str, object]) -> int:
    alignment = metadata.get("general.alignment", 32)  # the specification's default
    if not isinstance(alignment, int) or alignment <= 0 or alignment & (alignment - 1):
        raise _damaged(path, f"general.alignment is {alignment!r}, not a power of two")
    return alignment


def _read_tensor(cursor: _Cursor) -> TensorInfo:
    name = cursor.text("a tensor's name", _MAX_NAME)
    n_dims = cursor.number(_U32)
    if n_dims > _MAX_DIMS:
        raise _damaged(cursor.path, f"the tensor {name!r} has {n_dims:,} dimensions")
    shape = tuple(cursor.number(_U64) for _ in range(n_dims))
    n_elements = math.prod(shape)
    if max(n_elements, *shape, 0) > _MAX_ELEMENTS:
        raise _damaged(cursor.path, f"the tensor {name!r} has the shape {shape}")
    kind = cursor.number(_U32)
    if kind not in TENSOR_TYPES:
        raise _refused(cursor.path, f"has the tensor {name!r} of the unknown type {kind}", UPDATE)
    type_name, n_block, block_bytes = TENSOR_TYPES[kind]
    n_row = shape[0] if shape else 1
    if n_row % n_block:
        raise _damaged(cursor.path, f"the tensor {name!r} of type {type_name} has rows of {n_row:,}")
    n_bytes = n_elements // n_block * block_bytes
    return TensorInfo(name, shape, type_name, cursor.number(_U64), n_bytes)


def _check_layout(cursor: _Cursor, tensors: tuple[TensorInfo, ...], alignment: int) -> None:
    """No two tensors share a name or a byte, and the file is long enough for all of them."""
    path = cursor.path
    if len({tensor.name for tensor in tensors}) < len(tensors):
        raise _damaged(path, "two tensors have the same name")
    for tensor in tensors:
        if tensor.offset % alignment:
            raise _damaged(path, f"the data of {tensor.name!r} does not start at a multiple of {alignment}")
    ordered = sorted(tensors, key=lambda tensor: (tensor.offset, tensor.n_bytes))
    for before, after in pairwise(ordered):
        if before.offset + before.n_bytes > after.offset:
            raise _damaged(path, f"the data of {before.name!r} and {after.name!r} overlap")
    if ordered:
        start = -(-cursor.pos // alignment) * alignment
        needed = start + ordered[-1].offset + ordered[-1].n_bytes
        if needed > cursor.size:
            what = f"is truncated: its tensors end at byte {needed:,} and the file at {cursor.size:,}"
            raise _refused(path, what, AGAIN)


def _siblings(first: Header) -> list[Path]:
    """The other parts of a split model, all present."""
    path, count = first.path, first.metadata.get("split.count", 1)
    if not isinstance(count, int) or not 0 <= count <= _MAX_PARTS:
        raise _damaged(path, f"split.count is {count!r}")
    if count <= 1:
        return []
    match = _PART_NAME.fullmatch(path.name)
    if not match:
        hint = f"name it as it was, like model-00001-of-{count:05}.gguf"
        raise _refused(path, f"is one of {count} parts and its name does not say which", hint)
    parts = [path.with_name(f"{match['stem']}-{i:05}-of-{count:05}.gguf") for i in range(1, count + 1)]
    if first.metadata.get("split.no") != 0 or parts[0] != path:
        raise _refused(path, f"is not the first of its {count} parts", f"give {parts[0]}")
    for part in parts[1:]:
        if not part.exists():
            what = f"is the first of {count} parts, and {part.name} is missing"
            raise _refused(path, what, "download all parts into one directory")
    return parts[1:]


def _check_model(header: Header) -> None:
    """The file holds a language model: an architecture, weights and a vocabulary."""
    path, metadata = header.path, header.metadata
    for key, value in _NOT_MODELS:
        if metadata.get(key) == value:
            raise _refused(path, f"is {_NOT_MODELS[key, value]}, not a language model", NO_MODEL)
    architecture = metadata.get("general.architecture")
    if not isinstance(architecture, str) or not architecture:
        raise _refused(path, "does not say its architecture", AGAIN)
    tokens = metadata.get("tokenizer.ggml.tokens")
    if not header.tensors:
        held = "a vocabulary and no weights" if isinstance(tokens, ArrayInfo) else "no tensors"
        raise _refused(path, f"holds {held}", NO_MODEL)
    if not isinstance(metadata.get("tokenizer.ggml.model"), str) or tokens is None:
        raise _refused(path, "has no tokenizer", NO_MODEL)
    length = metadata.get(f"{architecture}.context_length", 1)
    if not isinstance(length, int) or not 0 < length < 1 << 31:  # llama.cpp loads it, as 0 or negative
        raise _damaged(path, f"{architecture}.context_length is {length!r}")
    _check_vocabulary(path, metadata)


def _check_vocabulary(path: Path, metadata: dict[str, object]) -> None:
    """llama.cpp reads scores and types by the index of the token, without looking at their length."""
    tokens = metadata["tokenizer.ggml.tokens"]
    if not isinstance(tokens, ArrayInfo) or tokens.type != "string" or not tokens.length:
        raise _damaged(path, "tokenizer.ggml.tokens is not a list of strings")
    for key, types in ("scores", ("float32",)), ("token_type", ("int32", "uint32")):
        array = metadata.get(f"tokenizer.ggml.{key}")
        if array is not None and array not in [ArrayInfo(type_, tokens.length) for type_ in types]:
            raise _damaged(path, f"tokenizer.ggml.{key} does not match the {tokens.length:,} tokens")
