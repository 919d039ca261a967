"""Bounded reads of little-endian values from a GGUF file."""

from __future__ import annotations

import mmap
from pathlib import Path
from struct import Struct

from localsmc.gguf.refusals import AGAIN, damaged, refused
from localsmc.gguf.tensor_types import rows

# Value types of the specification: number, name, format code of `struct`.
SCALARS = {
    int(number): (name, Struct("<" + code))
    for number, name, code in rows(
        "0 uint8 B, 1 int8 b, 2 uint16 H, 3 int16 h, 4 uint32 I, 5 int32 i, 6 float32 f, 7 bool ?, "
        "10 uint64 Q, 11 int64 q, 12 float64 d"
    )
}
U32, U64 = SCALARS[4][1], SCALARS[10][1]

MAX_TEXT = 1 << 24  # bytes in one value; chat templates have about 2^14


MAX_KEY = (1 << 16) - 1  # limit in the specification


class Cursor:
    """A read position in the mapped file; every step is checked against the end of the file."""

    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self.path, self.data, self.size = path, data, len(data)
        self.pos = 0
        self.section = "header"

    def skip(self, n_bytes: int) -> int:
        """Skip `n_bytes` and return the position where they start."""
        start = self.pos
        if n_bytes > self.size - start:
            what = f"is truncated or damaged: its {self.section} runs past the end of the file"
            raise refused(self.path, what, AGAIN)
        self.pos += n_bytes
        return start

    def number(self, kind: Struct) -> int:
        """Read one value of the type of the given `Struct`."""
        value: int = kind.unpack_from(self.data, self.skip(kind.size))[0]
        return value

    def count(self, what: str, limit: int) -> int:
        """Read a count; raises ModelLoadFailed if it exceeds the limit."""
        n = self.number(U64)
        if n > limit:
            raise damaged(self.path, f"{n:,} {what}")
        return n

    def text(self, what: str, limit: int) -> str:
        """Read a string of at most `limit` bytes."""
        n_bytes = self.count(f"bytes in {what}", limit)
        start = self.skip(n_bytes)
        return self.data[start : start + n_bytes].decode("utf-8", errors="replace")

    def skip_strings(self, n: int) -> None:
        """Skip `n` strings; the loop is minimal because a vocabulary has hundreds of thousands."""
        data, pos, last, unpack = self.data, self.pos, self.size - 8, U64.unpack_from
        for _ in range(n):
            if pos > last:
                pos = self.size + 1
                break
            pos += 8 + unpack(data, pos)[0]
        self.skip(pos - self.pos)
