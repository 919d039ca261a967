"""The bytes of tokens as they are read: named tokens, which have no text of their own, are there as well."""

from __future__ import annotations

from collections.abc import Mapping

from localsmc.lm.interface import Pieces
from localsmc.text.named_bytes import named, only_text


class MarkedPieces:
    """Implements `lm.interface.Pieces`; `names` are the tokens that are read by their names."""

    def __init__(self, pieces: Pieces, names: Mapping[int, str]) -> None:
        self.pieces = pieces
        self.names = names
        self._known = {token: named(name) for token, name in names.items()}

    def __len__(self) -> int:
        return len(self.pieces)

    def __getitem__(self, token: int) -> bytes:
        found = self._known.get(token)
        if found is None:
            found = self._known[token] = only_text(self.pieces[token])
        return found
