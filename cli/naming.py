"""The models that a command line names, by `-m` or as llama.cpp has it for the hub, as one name each.

Of two that are given the command has kept the one that was said more explicitly (`Command.alternatives`);
both are there where they were said in the same way.
"""

from __future__ import annotations

from typing import Any

import click

from localsmc.errors import ConfigError
from localsmc_cli.given import Given
from localsmc_cli.origins import is_typed, rank


def with_models(given: Given) -> dict[str, Any]:
    """The command line with `model` or `models`, and `model_draft`, as they are meant; raises ConfigError."""
    named: dict[str, object] = {
        "model_draft": _one(given["model_draft"], given["hf_repo_draft"], None, "--model-draft")
    }
    repos = given["hf_repo"] or ()
    repos = repos if isinstance(repos, tuple) else (repos,)
    if is_typed("hf_file") and len(repos) != 1:
        raise ConfigError(
            "`--hf-file` is a file of one `--hf-repo`",
            hint=f"add `-hf user/repo`, or write both as -m user/repo/{given['hf_file']}",
        )
    context = click.get_current_context()
    # A variable's file belongs to a variable's repository.
    is_its_file = len(repos) == 1 and rank(context, "hf_file") >= rank(context, "hf_repo")
    file = given["hf_file"] if is_its_file else None
    if "models" in given:
        named["models"] = (*given["models"], *(_joined(repo, file) for repo in repos))
    else:
        named["model"] = _one(given["model"], next(iter(repos), None), file, "--model")
    return {**given, **named}


def _one(model: str | None, repo: str | None, file: str | None, spelled: str) -> str | None:
    if model is not None and repo is not None:
        other = spelled.replace("model", "hf-repo")
        raise ConfigError(
            f"the model is given twice, by `{spelled}` and `{other}`", hint="leave one of them out"
        )
    return model if repo is None else _joined(repo, file)


def _joined(repo: str, file: str | None) -> str:
    from localsmc.hub import joined

    return joined(repo, file)
