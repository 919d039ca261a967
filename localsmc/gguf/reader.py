"""Read the header of a GGUF file and check that it is consistent.

Owns the format: magic, version, metadata, tensor table, file length, the parts of a split model. Reads no
tensor data, and allocates no memory in proportion to a count in the file. Does not use llama.cpp: a trial
load (`localsmc.store.trial_load`) checks whether hyperparameters, vocabulary and tensors fit together.
"""

from __future__ import annotations

import math
import mmap
import re
import stat
from dataclasses import replace
from pathlib import Path

from localsmc.errors import ModelNotFound
from localsmc.gguf.checks import _check_layout, _check_model, _foreign_kind
from localsmc.gguf.cursor import MAX_KEY, MAX_TEXT, SCALARS, U32, U64, Cursor
from localsmc.gguf.header import ArrayInfo, Header, TensorInfo
from localsmc.gguf.refusals import AGAIN, CONVERT, UPDATE, damaged, refused
from localsmc.gguf.tensor_types import TENSOR_TYPES

_STRING, _ARRAY = 8, 9

# Counts above these limits mean corruption: no model reaches them, and loops up to them still end.
_MAX_ENTRIES = 1 << 20  # metadata keys, tensors
_MAX_STRINGS = 1 << 24  # strings in one array; the largest vocabularies have 2^18
_MAX_NAME = 63  # GGML_MAX_NAME less the terminator
_MAX_DIMS = 4  # GGML_MAX_DIMS
_MAX_ELEMENTS = (1 << 63) - 1  # ggml counts in int64
_MAX_VALUES = 1 << 10  # integers of an array to keep; LLAMA_MAX_LAYERS is 512
_MAX_PARTS = 99_999  # part names have five digits

_PART_NAME = re.compile(r"(?P<stem>.+)-\d{5}-of-\d{5}\.gguf")


def read_header(path: Path, *, title: str | None = None) -> Header:
    """Read and check everything before the tensor data, and check that the file has room for the data.

    `title` is the model's name if the file states none and is not named after it either. Raises
    ModelNotFound or ModelLoadFailed.
    """
    first = _read_part(path)
    parts = [first, *map(_read_part, _siblings(first))]
    for number, part in enumerate(parts[1:], 1):
        if part.metadata.get("split.no") != number:
            raise damaged(part.path, f"it should be part {number + 1} of {len(parts)}, but split.no differs")
    header = replace(
        first,
        parts=tuple(part.path for part in parts),
        size=sum(part.size for part in parts),
        tensors=tuple(tensor for part in parts for tensor in part.tensors),
        title=title,
    )
    _check_model(header)
    return header


def _read_part(path: Path) -> Header:
    try:
        _check_regular(path)
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _parse(Cursor(path, data))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelNotFound(f"`{path}` does not exist", hint="check the path for typos") from error
    except OSError as error:
        what = f"cannot be read: {error.strerror or type(error).__name__}"
        raise refused(path, what, "check the path and its permissions") from error


def _check_regular(path: Path) -> None:
    if "\0" in str(path):
        raise ModelNotFound(f"`{path!r}` is not a valid path", hint="remove the NUL character from it")
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        found = sorted(path.glob("*.gguf"))
        hint = f"give a file inside it: {found[0]}" if found else "give the GGUF file itself"
        raise refused(path, "is a directory, not a GGUF file", hint)
    if not stat.S_ISREG(status.st_mode):  # opening a named pipe would block forever
        raise refused(path, "is not a regular file", "copy the model to a file first")
    if status.st_size == 0:
        raise refused(path, "is empty", AGAIN)


def _parse(cursor: Cursor) -> Header:
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


def _check_magic(cursor: Cursor) -> None:
    head = cursor.data[:512]
    if head.startswith(b"GGUF"):
        cursor.skip(4)
        return
    what, hint = _foreign_kind(head)
    raise refused(cursor.path, f"is not a GGUF file: it looks like {what}", hint)


def _read_version(cursor: Cursor) -> int:
    version = cursor.number(U32)
    if version in (2, 3):
        return version
    if version & 0xFFFF == 0 and version:  # the bytes of a small number reversed: llama.cpp's test
        what, hint = "is a big-endian GGUF file", "use the little-endian file of this model"
    elif version == 1:
        what, hint = "is a GGUF file of version 1, which llama.cpp no longer reads", CONVERT
    else:
        what, hint = f"is a GGUF file of version {version}; this release supports 2 and 3", UPDATE
    raise refused(cursor.path, what, hint)


def _read_metadata(cursor: Cursor, n_keys: int) -> dict[str, object]:
    metadata: dict[str, object] = {}
    for _ in range(n_keys):
        key = cursor.text("a metadata key", MAX_KEY)
        if not key.isprintable() or not key or "\ufffd" in key:
            raise damaged(cursor.path, f"a metadata key is {key!r}")
        if key in metadata:
            raise damaged(cursor.path, f"the metadata key {key!r} appears twice")
        metadata[key] = _read_value(cursor, key)
    return metadata


def _read_value(cursor: Cursor, key: str) -> object:
    kind = cursor.number(U32)
    if kind == _STRING:
        return cursor.text(f"the value of {key!r}", MAX_TEXT)
    if kind == _ARRAY:
        return _read_array(cursor, key)
    if kind not in SCALARS:
        raise damaged(cursor.path, f"the value of {key!r} has the unknown type {kind}")
    return cursor.number(SCALARS[kind][1])


def _read_array(cursor: Cursor, key: str) -> ArrayInfo:
    kind = cursor.number(U32)
    if kind == _STRING:
        length = cursor.count(f"strings in {key!r}", _MAX_STRINGS)
        cursor.skip_strings(length)
        return ArrayInfo("string", length)
    if kind not in SCALARS:
        raise damaged(cursor.path, f"the array {key!r} has elements of the unknown type {kind}")
    name, element = SCALARS[kind]
    length = cursor.number(U64)
    start = cursor.skip(length * element.size)
    if length > _MAX_VALUES or name.startswith("float"):
        return ArrayInfo(name, length)
    data = cursor.data[start : cursor.pos]
    return ArrayInfo(name, length, tuple(int(value) for (value,) in element.iter_unpack(data)))


def _alignment(path: Path, metadata: dict[str, object]) -> int:
    alignment = metadata.get("general.alignment", 32)  # default in the specification
    if not isinstance(alignment, int) or alignment <= 0 or alignment & (alignment - 1):
        raise damaged(path, f"general.alignment is {alignment!r}, not a power of two")
    return alignment


def _read_tensor(cursor: Cursor) -> TensorInfo:
    name = cursor.text("a tensor's name", _MAX_NAME)
    n_dims = cursor.number(U32)
    if n_dims > _MAX_DIMS:
        raise damaged(cursor.path, f"the tensor {name!r} has {n_dims:,} dimensions")
    shape = tuple(cursor.number(U64) for _ in range(n_dims))
    n_elements = math.prod(shape)
    if max(n_elements, *shape, 0) > _MAX_ELEMENTS:
        raise damaged(cursor.path, f"the tensor {name!r} has the shape {shape}")
    kind = cursor.number(U32)
    if kind not in TENSOR_TYPES:
        raise refused(cursor.path, f"has the tensor {name!r} of the unknown type {kind}", UPDATE)
    type_name, n_block, block_bytes = TENSOR_TYPES[kind]
    n_row = shape[0] if shape else 1
    if n_row % n_block:
        raise damaged(cursor.path, f"the tensor {name!r} of type {type_name} has rows of {n_row:,}")
    n_bytes = n_elements // n_block * block_bytes
    return TensorInfo(name, shape, type_name, cursor.number(U64), n_bytes)


def _siblings(first: Header) -> list[Path]:
    """The other parts of a split model; raises ModelLoadFailed if any part is missing."""
    path, count = first.path, first.metadata.get("split.count", 1)
    if not isinstance(count, int) or not 0 <= count <= _MAX_PARTS:
        raise damaged(path, f"split.count is {count!r}")
    if count <= 1:
        return []
    match = _PART_NAME.fullmatch(path.name)
    if not match:
        hint = f"restore its original name, such as model-00001-of-{count:05}.gguf"
        raise refused(path, f"is one of {count} parts, but its name has no part number", hint)
    parts = [path.with_name(f"{match['stem']}-{i:05}-of-{count:05}.gguf") for i in range(1, count + 1)]
    if first.metadata.get("split.no") != 0 or parts[0] != path:
        raise refused(path, f"is not the first of its {count} parts", f"use {parts[0]}")
    for part in parts[1:]:
        if not part.exists():
            what = f"is the first of {count} parts, but {part.name} is missing"
            raise refused(path, what, "download all parts into one directory")
    return parts[1:]
