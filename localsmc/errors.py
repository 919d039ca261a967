"""Every error that localsmc raises on purpose, with its exit code and, where one helps, a hint.

    LocalSMCError                 1   anything of ours not named below
    ├── ConfigError               2   an option, a configuration value, an empty problem
    │   └── NothingAllowed            a grammar leaves no token to go on with
    ├── ModelError                3   a model cannot be found or loaded
    │   ├── ModelNotFound
    │   ├── DownloadFailed
    │   └── ModelLoadFailed
    ├── ContextError              4   the context is too small, or memory ran out
    │   ├── PromptTooLong
    │   ├── ContextFull
    │   ├── DecodeFailed
    │   └── SequenceError             a caller broke the rules of sequences: a bug of ours
    ├── PromptError               5   a chat template fails
    ├── TaskError                 6   a problem set or its data
    └── RunError                  7   a run folder

The message is one sentence without a full stop; the hint is the next thing to type or to change.
"""

from __future__ import annotations


class LocalSMCError(Exception):
    """The root: a message for the user, a hint and the process's exit code."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(LocalSMCError):
    """An option or a configuration value is out of range, unknown or missing."""

    exit_code = 2


class NothingAllowed(ConfigError):
    """A grammar leaves no token of the vocabulary behind any text."""


class ModelError(LocalSMCError):
    """A model cannot be found or loaded."""

    exit_code = 3


class ModelNotFound(ModelError):
    """No file at the path given, or no model of that name anywhere."""


class DownloadFailed(ModelError):
    """The hub cannot be reached, refuses, or sends something else; `is_passing` where that may end soon."""

    def __init__(self, message: str, *, hint: str | None = None, is_passing: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.is_passing = is_passing


class ModelLoadFailed(ModelError):
    """The file is not a model that llama.cpp can generate text with."""


class ContextError(LocalSMCError):
    """The context is too small for what is asked, or memory ran out."""

    exit_code = 4


class PromptTooLong(ContextError):
    """The prompt leaves no room for a single token."""


class ContextFull(ContextError):
    """No free cells for the rows of a decode; the model's state is unchanged."""


class DecodeFailed(ContextError):
    """llama.cpp could not evaluate a batch."""


class SequenceError(ContextError):
    """A call that llama.cpp would answer with an abort or with silently wrong logits."""


class PromptError(LocalSMCError):
    """The model's chat template cannot render these messages."""

    exit_code = 5


class TaskError(LocalSMCError):
    """A problem set, a line of it or a field of it."""

    exit_code = 6


class RunError(LocalSMCError):
    """A run folder that cannot be written, read or resumed."""

    exit_code = 7
