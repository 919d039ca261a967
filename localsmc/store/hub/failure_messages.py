"""What can go wrong at the hub, in words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from localsmc.errors import DownloadFailed, ModelError, ModelNotFound
from localsmc.store.hub.access import shown_endpoint
from localsmc.store.hub.repository import Repository

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

LOG_IN = "set HF_TOKEN, give `--hf-token`, or run `hf auth login`"


_PASSING = (408, 429, 500, 502, 503, 504)
"""Answers after which another try may help."""

_TOKENS = "https://huggingface.co/settings/tokens"


class NoRepository(ModelNotFound):
    """The hub has none of that name, or does not say so to strangers."""


@contextlib.contextmanager
def in_words(repository: Repository) -> Iterator[None]:
    """Turn errors of huggingface_hub and of the network into ModelNotFound and DownloadFailed."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    # The error of the HTTP library that this huggingface_hub uses, which changes now and then.
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
            f"`{repo}` is given only to who accepts its terms", hint=f"accept them at {page}, then {LOG_IN}"
        )
    if isinstance(error, RepositoryNotFoundError):
        return NoRepository(
            f"the hub has no repository `{repo}`", hint=f"look for it at {page}; for a private one {LOG_IN}"
        )
    if isinstance(error, EntryNotFoundError) or status == 404:
        return ModelNotFound(f"the hub does not find what is asked for in `{repo}`", hint=f"look at {page}")
    if status == 401:
        message = "the hub asks for a token, or for another one"
        return DownloadFailed(message, hint=f"make one at {_TOKENS}, then {LOG_IN}")
    if status == 403:
        return DownloadFailed(f"the token may not read `{repo}`", hint=f"see its permissions at {_TOKENS}")
    if status == 429:
        message, hint = "the hub has had too many requests from here", f"wait, or {LOG_IN}"
    else:
        message, hint = f"the hub answers with status {status}", "try again later"
    return DownloadFailed(message, hint=hint, is_passing=status in _PASSING)


def _unreached(error: Exception) -> DownloadFailed:
    what = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    return DownloadFailed(
        f"the hub at {shown_endpoint()} cannot be reached: {what[:1].lower() + what[1:]}",
        hint="check the network; what was downloaded before works with `--offline`",
        is_passing=True,
    )
