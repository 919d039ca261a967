"""The errors that localsmc raises, each with an exit code and, if one helps, a hint.

    LocalSMCError                 1   any error not listed below
    ├── ConfigError               2   an option, a configuration value, an empty problem
    │   └── NothingAllowed            a grammar allows no next token
    ├── ModelError                3   a model cannot be found or loaded
    │   ├── ModelNotFound
    │   ├── DownloadFailed
    │   └── ModelLoadFailed
    ├── ContextError              4   the context is too small, or memory ran out
    │   ├── PromptTooLong
    │   ├── ContextFull
    │   ├── DecodeFailed
    │   └── SequenceError             an invalid call on a sequence: a bug in localsmc
    ├── PromptError               5   a chat template fails
    ├── TaskError                 6   a problem set or its data
    └── RunError                  7   a run folder

The message is one sentence without a full stop. The hint says what to type or to change next.
"""

from __future__ import annotations


class LocalSMCError(Exception):
    """The base class: a message for the user, a hint, and the exit code of the process."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(LocalSMCError):
    """An option or a configuration value is out of range, unknown or missing."""

    exit_code = 2


class NothingAllowed(ConfigError):
    """A grammar allows no token of the vocabulary after any of the completions."""


class ModelError(LocalSMCError):
    """A model cannot be found or loaded."""

    exit_code = 3


class ModelNotFound(ModelError):
    """The path names no file, or the name no model."""


class DownloadFailed(ModelError):
    """The hub cannot be reached, refuses, or sends something else; `is_passing` if a retry may help."""

    def __init__(self, message: str, *, hint: str | None = None, is_passing: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.is_passing = is_passing


class ModelLoadFailed(ModelError):
    """The file is not a model that llama.cpp can generate text with."""


class ContextError(LocalSMCError):
    """The context is too small for the request, or memory ran out."""

    exit_code = 4


class PromptTooLong(ContextError):
    """The prompt leaves no room for a single token."""


class ContextFull(ContextError):
    """The KV cache has too few free cells for a batch; the model's state is unchanged."""


class DecodeFailed(ContextError):
    """llama.cpp could not evaluate a batch."""


class SequenceError(ContextError):
    """A call on a sequence that would make llama.cpp abort or return wrong logits."""


class PromptError(LocalSMCError):
    """The model's chat template cannot render these messages."""

    exit_code = 5


class TaskError(LocalSMCError):
    """A problem set, or a line or field in it, is missing or invalid."""

    exit_code = 6


class RunError(LocalSMCError):
    """A run folder that cannot be written, read or resumed."""

    exit_code = 7
