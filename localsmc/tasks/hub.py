"""Files of data sets from the Hugging Face hub, in its own cache; offline what is there already."""

from __future__ import annotations

from pathlib import Path

from localsmc.errors import TaskError


def fetch(repository: str, file: str, *, offline: bool = False) -> Path:
    """The path of a data set's file, downloaded where it is not in the cache; raises TaskError."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    page = f"https://huggingface.co/datasets/{repository}"
    try:
        return Path(hf_hub_download(repository, file, repo_type="dataset", local_files_only=offline))
    except GatedRepoError as error:
        raise TaskError(
            f"`{repository}` is given only to who accepts its terms",
            hint=f"accept them at {page}, then set HF_TOKEN or run `hf auth login`",
        ) from error
    except LocalEntryNotFoundError as error:
        raise TaskError(
            f"`{repository}` is not in the Hugging Face cache and cannot be downloaded",
            hint=f"go online once, or download `{file}` from {page} and give it as `--data FILE`",
        ) from error
    except (RepositoryNotFoundError, EntryNotFoundError) as error:
        raise TaskError(
            f"the hub has no `{file}` in `{repository}`",
            hint=f"look at {page}, or give a file as `--data FILE`",
        ) from error
    except (HfHubHTTPError, OSError) as error:
        raise TaskError(
            f"`{repository}` cannot be downloaded: {str(error).splitlines()[0]}",
            hint="try again later, or give a file as `--data FILE`",
        ) from error
