"""Fetch data set files from the Hugging Face hub into its cache; offline, only cached files are used."""

from __future__ import annotations

from pathlib import Path

from localsmc.errors import ModelError, TaskError
from localsmc.store import hub


def fetch(repository: str, file: str, *, offline: bool = False, option: str = "--data") -> Path:
    """The local path of a data set's file, downloaded if it is not in the cache; raises TaskError.

    `option` is the one that takes the file from elsewhere.
    """
    known = hub.Repository(repository, kind="dataset")
    try:
        return hub.fetch_file(known, file, hub.Access(offline=offline))
    except ModelError as error:
        message = str(error)
        if repository not in message:
            message = f"`{repository}` cannot be downloaded: {message}"
        first = error.hint or f"connect to the network, or download `{file}` from {known.page}"
        raise TaskError(message, hint=f"{first}; or pass a file with `{option} FILE`") from error
