"""The models that a command line names, by `-m` or as llama.cpp has it for the hub; as one name each."""

from __future__ import annotations

from typing import Any

import click

from localsmc.errors import ConfigError
from localsmc_cli.config.provenance import is_typed, rank
from localsmc_cli.inputs.run_settings import Given


def with_models(given: Given) -> dict[str, Any]:
    """The command line with `model` or `models`, and `model_draft`, as they are meant; raises ConfigError.

    Where two say it equally explicitly and nobody typed them, `-m` wins over `-hf`.
    """
    named: dict[str, object] = {"model_draft": _draft(given)}
    if "models" in given:
        named["models"] = _several(given)
    else:
        named["model"] = _one(given)
    return {**given, **named}


def _one(given: Given) -> str | None:
    model, repo = given["model"], given["hf_repo"]
    if model is not None and repo is not None and is_typed("model"):
        raise _twice("--model", "--hf-repo")
    if model is None and repo is not None:
        return _joined(repo, _file(given))
    _check_no_file(given)
    return None if model is None else str(model)


def _several(given: Given) -> tuple[str, ...]:
    models: tuple[str, ...] = given["models"]
    repos: tuple[str, ...] = given["hf_repo"] if is_typed("models") or not models else ()
    if len(repos) != 1:
        _check_no_file(given)
    file = _file(given) if len(repos) == 1 else None
    return (*models, *(_joined(repo, file) for repo in repos))


def _file(given: Given) -> str | None:
    """The file of the repository; one that is said less explicitly is another's."""
    ctx = click.get_current_context()
    return given["hf_file"] if rank(ctx, "hf_file") >= rank(ctx, "hf_repo") else None


def _draft(given: Given) -> str | None:
    draft, repo = given["model_draft"], given["hf_repo_draft"]
    if draft is not None and repo is not None and is_typed("model_draft"):
        raise _twice("--model-draft", "--hf-repo-draft")
    if draft is None and repo is not None:
        return _joined(repo, None)
    return None if draft is None else str(draft)


def _joined(repo: str, file: str | None) -> str:
    from localsmc.store.hub import joined

    return joined(repo, file)


def _check_no_file(given: Given) -> None:
    if is_typed("hf_file"):
        raise ConfigError(
            "`--hf-file` is a file of one `--hf-repo`",
            hint=f"add `-hf user/repo`, or write both as -m user/repo/{given['hf_file']}",
        )


def _twice(one: str, other: str) -> ConfigError:
    return ConfigError(f"the model is given twice, by `{one}` and `{other}`", hint="leave one of them out")
