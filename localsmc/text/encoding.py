"""Texts as UTF-8, as models read them."""

from __future__ import annotations

from localsmc.errors import ConfigError


def encoded(text: str) -> bytes:
    """The text as UTF-8; raises ConfigError for half of a surrogate pair, which has none."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        wrong = ord(text[error.start])
        raise ConfigError(
            f"character {error.start + 1:,} of a text is U+{wrong:04X}, half of a surrogate pair",
            hint="remove it: it is no Unicode character",
        ) from None
