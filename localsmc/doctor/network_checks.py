"""Whether the Hugging Face hub is within reach; everything else works without."""

from __future__ import annotations

import threading

from localsmc.doctor.finding import Verdict
from localsmc.store.hub.access import Access, endpoint, shown_endpoint

SECONDS = 2.0
"""To wait for the hub."""


def reach(seconds: float = SECONDS) -> Verdict:
    """Whether it answers."""
    address = endpoint()
    if Access().is_offline:
        return Verdict("ok", "off by HF_HUB_OFFLINE: models that are here work")
    failure, shown = _ask(address, seconds), shown_endpoint()
    if failure is None:
        return Verdict("ok", f"{shown} answers")
    line = f"{shown} is not reached ({failure}): models that are here work, none can be downloaded"
    return Verdict(
        "warning", line, "check the connection, a proxy (HTTPS_PROXY) and HF_ENDPOINT, or do without"
    )


def _ask(address: str, seconds: float) -> str | None:
    """Why it does not answer; None where it does."""
    from huggingface_hub.utils import get_session

    ended: list[str | None] = []

    def ask() -> None:
        try:
            status = get_session().head(address, timeout=seconds).status_code
        except Exception as error:  # of whatever HTTP library this huggingface_hub uses
            ended.append(type(error).__name__)
        else:
            # A proxy in between says that it is not allowed, or that nobody is there.
            ended.append(f"status {status}" if status in (403, 407) or status >= 500 else None)

    # A thread, because nothing limits the time that a name's look-up takes.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return ended[0] if ended else f"nothing within {seconds:g} s"


def token() -> Verdict:
    """Whether there is one; it is never shown."""
    from huggingface_hub import get_token

    if get_token() is None:
        return Verdict("ok", "none: public models can be downloaded")
    Access().headers()  # raises for what is no token
    return Verdict("ok", "there is one")
