"""Files of data sets from the Hugging Face hub, in its own cache; offline what is there already."""

from __future__ import annotations

from pathlib import Path

from localsmc.errors import ModelError, TaskError
from localsmc.store import hub


def fetch(repository: str, file: str, *, offline: bool = False) -> Path:
    """The path of a data set's file, downloaded where it is not in the cache; raises TaskError."""
    known = hub.Repository(repository, kind="dataset")
    try:
        return hub.fetch_file(known, file, hub.Access(offline=offline))
    except ModelError as error:
        message = str(error)
        if repository not in message:
            message = f"`{repository}` cannot be downloaded: {message}"
        first = error.hint or f"go online once, or download `{file}` from {known.page}"
        raise TaskError(message, hint=f"{first}; or give a file as `--data FILE`") from error
