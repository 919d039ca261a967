r"""Find complete boxes, ``\boxed{...}``, in a text that may arrive in pieces."""

from __future__ import annotations

from dataclasses import dataclass

BOX = b"\\boxed{"


@dataclass(frozen=True, slots=True)
class BoxScan:
    r"""The state of a left-to-right scan for a complete, non-empty ``\boxed{...}``.

    The result does not depend on how the bytes are split between calls. Escaped braces
    (``\{``) do not count.
    """

    matched: int = 0
    """Bytes of BOX matched so far, outside a box."""
    depth: int = 0
    """Number of open braces, inside a box."""
    escaped: bool = False
    is_empty: bool = True
    complete: bool = False

    def feed(self, text: bytes) -> BoxScan:
        """The state after more bytes; a complete scan stays complete."""
        scan = self
        for byte in text:
            if scan.complete:
                return scan
            scan = scan._inside(byte) if scan.depth else scan._outside(byte)
        return scan

    def _outside(self, byte: int) -> BoxScan:
        if byte == BOX[self.matched]:
            matched = self.matched + 1
            return BoxScan(depth=1) if matched == len(BOX) else BoxScan(matched=matched)
        return BoxScan(matched=int(byte == BOX[0]))

    def _inside(self, byte: int) -> BoxScan:
        if self.escaped:
            return BoxScan(depth=self.depth, is_empty=False)
        if byte == ord("\\"):
            return BoxScan(depth=self.depth, escaped=True, is_empty=self.is_empty)
        depth = self.depth + (byte == ord("{")) - (byte == ord("}"))
        if depth == 0:
            return BoxScan() if self.is_empty else BoxScan(complete=True)
        return BoxScan(depth=depth, is_empty=self.is_empty and byte in b" \t\n")


def boxes(text: str) -> list[str]:
    r"""The contents of all complete, non-empty ``\boxed{...}`` in a text, in order of appearance."""
    data, found, start = text.encode(), [], 0
    while (opened := data.find(BOX, start) + len(BOX)) >= len(BOX):
        scan, start = BoxScan(depth=1), opened
        while scan.depth and start < len(data):
            scan = scan.feed(data[start : start + 1])
            start += 1
        if scan.complete:
            found.append(data[opened : start - 1].decode(errors="replace"))
    return found
