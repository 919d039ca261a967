"""Error messages for failures of the hub."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from localsmc.errors import DownloadFailed, ModelError, ModelNotFound
from localsmc.store.hub.access import shown_endpoint
from localsmc.store.hub.repository import Repository

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

LOG_IN = "set HF_TOKEN, pass `--hf-token`, or run `hf auth login`"


_PASSING = (408, 429, 500, 502, 503, 504)
"""HTTP status codes after which a retry may help."""

_TOKENS = "https://huggingface.co/settings/tokens"


class NoRepository(ModelNotFound):
    """The hub has no repository of that name, or it is private and the token does not give access."""


@contextlib.contextmanager
def in_words(repository: Repository) -> Iterator[None]:
    """Convert errors of huggingface_hub and of the network to ModelNotFound and DownloadFailed."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    # The base error of the HTTP library; which library huggingface_hub uses depends on its version.
    http_error: Any = HfHubHTTPError.__bases__[0]
    try:
        yield
    except HfHubHTTPError as error:
        raise _answered(error, repository) from error
    except (http_error, OfflineModeIsEnabled) as error:
        raise _unreached(error) from error


def _answered(error: HfHubHTTPError, repository: Repository) -> ModelError:
    from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, RepositoryNotFoundError

    status, repo, page = error.response.status_code, repository.id, repository.page
    if isinstance(error, GatedRepoError):
        return DownloadFailed(
            f"`{repo}` requires you to accept its terms", hint=f"accept them at {page}, then {LOG_IN}"
        )
    if isinstance(error, RepositoryNotFoundError):
        return NoRepository(
            f"the hub has no repository `{repo}`", hint=f"check {page}; if it is private, {LOG_IN}"
        )
    if isinstance(error, EntryNotFoundError) or status == 404:
        return ModelNotFound(f"the hub cannot find the requested file in `{repo}`", hint=f"see {page}")
    if status == 401:
        message = "the hub requires a token, or rejects this one"
        return DownloadFailed(message, hint=f"create one at {_TOKENS}, then {LOG_IN}")
    if status == 403:
        message = f"the token does not give access to `{repo}`"
        return DownloadFailed(message, hint=f"check its permissions at {_TOKENS}")
    if status == 429:
        message, hint = "too many requests to the hub", f"wait, or {LOG_IN}"
    else:
        message, hint = f"the hub returned status {status}", "try again later"
    return DownloadFailed(message, hint=hint, is_passing=status in _PASSING)


def _unreached(error: Exception) -> DownloadFailed:
    what = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    return DownloadFailed(
        f"the hub at {shown_endpoint()} cannot be reached: {what[:1].lower() + what[1:]}",
        hint="check the network; models downloaded earlier work with `--offline`",
        is_passing=True,
    )
