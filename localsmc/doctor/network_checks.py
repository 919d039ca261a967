"""Check access to the Hugging Face hub; everything but downloads works without it."""

from __future__ import annotations

import threading

from localsmc.doctor.finding import Verdict
from localsmc.store.hub.access import Access, endpoint, shown_endpoint

SECONDS = 2.0
"""Timeout for the hub."""


def reach(seconds: float = SECONDS) -> Verdict:
    """Whether the hub can be reached."""
    address = endpoint()
    if Access().is_offline:
        return Verdict("ok", "disabled by HF_HUB_OFFLINE: only downloaded models can be used")
    failure, shown = _ask(address, seconds), shown_endpoint()
    if failure is None:
        return Verdict("ok", f"{shown} is reachable")
    line = f"{shown} is not reachable ({failure}): only downloaded models can be used"
    return Verdict(
        "warning", line, "check the connection, the proxy (HTTPS_PROXY) and HF_ENDPOINT, or work offline"
    )


def _ask(address: str, seconds: float) -> str | None:
    """The reason why the hub cannot be reached; None if it can."""
    from huggingface_hub.utils import get_session

    ended: list[str | None] = []

    def ask() -> None:
        try:
            status = get_session().head(address, timeout=seconds).status_code
        except Exception as error:  # the type depends on the HTTP library of huggingface_hub
            ended.append(type(error).__name__)
        else:
            # These statuses come from a proxy that denies access or cannot reach the hub.
            ended.append(f"status {status}" if status in (403, 407) or status >= 500 else None)

    # A thread, because the time of a DNS lookup cannot be limited.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return ended[0] if ended else f"no answer within {seconds:g} s"


def token() -> Verdict:
    """Whether an access token is configured; the token is never shown."""
    from huggingface_hub import get_token

    if get_token() is None:
        return Verdict("ok", "none: public models can be downloaded")
    Access().headers()  # raises if the token is malformed
    return Verdict("ok", "configured")
