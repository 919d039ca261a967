"""Names of models on the hub: `user/repo`, `user/repo:Q4_K_M`, `user/repo/file.gguf`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from localsmc.errors import ConfigError
from localsmc.store.hub.repository import Repository

_PART = r"\w(?:[\w.-]*\w)?"
_NAME = re.compile(
    # Also accept addresses copied from a browser.
    rf"(?:https://)?(?:(?:huggingface\.co|hf\.co)/)?(?P<repo>{_PART}/{_PART})"
    r"(?::(?P<quantization>[\w.-]+)|/(?:(?:blob|resolve)/main/)?(?P<file>[^:\\]+\.(?i:gguf)))?/?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class HubName:
    """A repository, and what to take from it: a quantization, a file, or the default quantization."""

    repo: str
    quantization: str | None = None
    file: str | None = None

    def __str__(self) -> str:
        if self.file is not None:
            return f"{self.repo}/{self.file}"
        return self.repo if self.quantization is None else f"{self.repo}:{self.quantization}"

    @property
    def repository(self) -> Repository:
        """The repository on the hub."""
        return Repository(self.repo)


def parse(text: str) -> HubName | None:
    """Parse a name; None if the text is not one. Does not check that the hub has it."""
    match = _NAME.fullmatch(text)
    if match is None or not _is_repo(match["repo"]) or ".." in (match["file"] or "").split("/"):
        return None
    return HubName(match["repo"], match["quantization"], match["file"])


def joined(repo: str, file: str | None) -> str:
    """Combine `--hf-repo` and `--hf-file` into one name; raises ConfigError."""
    name = parse(repo)
    if name is None or name.file is not None:
        raise ConfigError(
            f"`{repo}` is not a repository name", hint="write it as user/repo or user/repo:Q4_K_M"
        )
    if file is None:
        return str(name)
    whole = parse(f"{name.repo}/{file}")
    if whole is None:
        raise ConfigError(
            f"`{file}` is not the name of a GGUF file in a repository", hint="write it as model.gguf"
        )
    return str(whole)


def _is_repo(repo: str) -> bool:
    """Whether the name is valid on the hub; a name that ends with .gguf is a mistyped path."""
    return not any(bad in repo for bad in ("--", "..")) and not repo.lower().endswith((".gguf", ".git"))
