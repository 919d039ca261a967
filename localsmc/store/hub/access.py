"""Settings for access to the hub: address, token, offline mode, progress callback."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from localsmc.errors import ConfigError

_TRUE = ("1", "on", "yes", "true", "enabled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Progress of one file, in bytes; `step` is "waiting", "downloading" or "checking"."""

    step: str
    file: str
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to access the hub; without a `token`, `HF_TOKEN` or the saved token is used."""

    token: str | None = None
    offline: bool = False
    progress: Callable[[Transfer], None] | None = None

    @property
    def is_offline(self) -> bool:
        """Whether the network must not be used, by this setting or by huggingface_hub's variables."""
        set_ = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE")
        return self.offline or is_true(set_)

    def headers(self) -> dict[str, str]:
        """The HTTP headers of each request; raises ConfigError for an invalid token."""
        from huggingface_hub import get_token

        token = self.token or get_token()
        if token is None:
            return {"user-agent": "localsmc"}
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise ConfigError("the token contains invalid characters", hint="copy it again")
        return {"user-agent": "localsmc", "authorization": f"Bearer {token}"}

    def report(self, step: str, file: str, done: int, total: int) -> None:
        """Report the progress of a download to the callback."""
        if self.progress is not None:
            self.progress(Transfer(step=step, file=file, done=done, total=total))


def endpoint() -> str:
    """The hub's address: `HF_ENDPOINT`, or Hugging Face's; raises ConfigError if it is not a URL."""
    text = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise ConfigError(
            f"`HF_ENDPOINT` is `{text}`, which is not a URL", hint="write it like https://huggingface.co"
        )
    return text


def shown_endpoint() -> str:
    """The hub's address for messages, without a user name and password."""
    parts = urlsplit(endpoint())
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def is_true(value: str | None) -> bool:
    """Whether the value of an environment variable means "on", in the spellings that llama.cpp accepts."""
    return (value or "").strip().lower() in _TRUE
