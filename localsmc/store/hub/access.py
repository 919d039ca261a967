"""How the hub is reached: its address, a token, whether at all, and who is told of progress."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from localsmc.errors import ConfigError

_TRUE = ("1", "on", "yes", "true", "enabled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """How a download stands: bytes of one file; `step` is "waiting", "downloading" or "checking"."""

    step: str
    file: str
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A token where `HF_TOKEN` and the saved one are not meant, no network at all, and a callback."""

    token: str | None = None
    offline: bool = False
    progress: Callable[[Transfer], None] | None = None

    @property
    def is_offline(self) -> bool:
        """Whether nothing may be asked for, by this or by huggingface_hub's variables."""
        set_ = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE")
        return self.offline or is_true(set_)

    def headers(self) -> dict[str, str]:
        """Those of each request."""
        from huggingface_hub import get_token

        token = self.token or get_token()
        if token is None:
            return {"user-agent": "localsmc"}
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise ConfigError("the token has characters that no token has", hint="copy it again")
        return {"user-agent": "localsmc", "authorization": f"Bearer {token}"}

    def tell(self, step: str, file: str, done: int, total: int) -> None:
        """Say how a download stands, to who asked for it."""
        if self.progress is not None:
            self.progress(Transfer(step=step, file=file, done=done, total=total))


def endpoint() -> str:
    """The hub's address, `HF_ENDPOINT` or Hugging Face's; raises ConfigError for what is none."""
    text = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise ConfigError(
            f"`HF_ENDPOINT` is `{text}`, not an address", hint="write it as https://huggingface.co"
        )
    return text


def shown_endpoint() -> str:
    """The address as it may be shown: a password in it is nobody's business."""
    parts = urlsplit(endpoint())
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def is_true(value: str | None) -> bool:
    """Whether a variable of the environment is switched on, in the spellings that llama.cpp reads."""
    return (value or "").strip().lower() in _TRUE
