"""Names of models on the hub: `user/repo`, `user/repo:Q4_K_M`, `user/repo/file.gguf`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from localsmc.errors import ConfigError
from localsmc.store.hub.repository import Repository

_PART = r"\w(?:[\w.-]*\w)?"
_NAME = re.compile(
    # What people copy from a browser's address is understood, too.
    rf"(?:https://)?(?:(?:huggingface\.co|hf\.co)/)?(?P<repo>{_PART}/{_PART})"
    r"(?::(?P<quantization>[\w.-]+)|/(?:(?:blob|resolve)/main/)?(?P<file>[^:\\]+\.(?i:gguf)))?/?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class HubName:
    """A repository, and what is wanted of it: a quantization, a certain file, or the best default."""

    repo: str
    quantization: str | None = None
    file: str | None = None

    def __str__(self) -> str:
        if self.file is not None:
            return f"{self.repo}/{self.file}"
        return self.repo if self.quantization is None else f"{self.repo}:{self.quantization}"

    @property
    def repository(self) -> Repository:
        """Where it is."""
        return Repository(self.repo)


def parse(text: str) -> HubName | None:
    """The name, or None where the text is none; whether the hub has it is not asked."""
    match = _NAME.fullmatch(text)
    if match is None or not _is_repo(match["repo"]) or ".." in (match["file"] or "").split("/"):
        return None
    return HubName(match["repo"], match["quantization"], match["file"])


def joined(repo: str, file: str | None) -> str:
    """`--hf-repo` and `--hf-file` as one name; raises ConfigError."""
    name = parse(repo)
    if name is None or name.file is not None:
        raise ConfigError(f"`{repo}` is no repository", hint="write it as user/repo or user/repo:Q4_K_M")
    if file is None:
        return str(name)
    whole = parse(f"{name.repo}/{file}")
    if whole is None:
        raise ConfigError(f"`{file}` names no GGUF file of a repository", hint="write it as model.gguf")
    return str(whole)


def _is_repo(repo: str) -> bool:
    """By the hub's rules; and what ends with .gguf is a path with a typing error."""
    return not any(bad in repo for bad in ("--", "..")) and not repo.lower().endswith((".gguf", ".git"))
