"""Fetch data set files from the Hugging Face hub into its cache; offline, only cached files are used."""

from __future__ import annotations

from pathlib import Path

from localsmc.errors import ModelError, TaskError
from localsmc.evals.tasks.standard_tasks import StandardTask
from localsmc.store import hub


def fetch(task: StandardTask, file: str, *, offline: bool = False, option: str = "--data") -> Path:
    """The local path of a file of a data set, downloaded if it is not in the cache; raises TaskError.

    `option` is the one that takes the file from elsewhere.
    """
    known = hub.Repository(task.repository, kind="dataset")
    try:
        return hub.fetch_file(known, file, hub.Access(offline=offline))
    except ModelError as error:
        message = str(error)
        if task.repository not in message:
            message = f"`{task.repository}` cannot be downloaded: {message}"
        first = error.hint or f"connect to the network, or download `{file}` from {known.page}"
        if "has no file" in message and not task.is_verified:
            first = f"this file name is unverified; {first}"
        raise TaskError(message, hint=f"{first}; or pass a file with `{option} FILE`") from error
