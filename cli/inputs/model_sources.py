"""The models that a command line names, by `-m` or as llama.cpp names those of the hub: one name each."""

from __future__ import annotations

import click

from localsmc.errors import ConfigError
from localsmc_cli.config.provenance import is_typed, rank
from localsmc_cli.inputs.parsed_options import DraftOptions, OneModelOptions, SeveralModelsOptions


def model_name(options: OneModelOptions) -> str | None:
    """The model's name, None for the embedded one; raises ConfigError where two are named.

    Where `-m` and `-hf` are equally explicit and nobody typed them, `-m` wins.
    """
    model, repo = options.model, options.hf_repo
    if model is not None and repo is not None and is_typed("model"):
        raise _twice("--model", "--hf-repo")
    if model is None and repo is not None:
        return _joined(repo, _file(options.hf_file))
    _check_no_file(options.hf_file)
    return model


def model_names(options: SeveralModelsOptions) -> tuple[str, ...]:
    """The models' names; raises ConfigError."""
    repos = options.hf_repo if is_typed("models") or not options.models else ()
    if len(repos) != 1:
        _check_no_file(options.hf_file)
    file = _file(options.hf_file) if len(repos) == 1 else None
    return (*options.models, *(_joined(repo, file) for repo in repos))


def draft_name(options: DraftOptions) -> str | None:
    """The draft model's name, None where none is given; raises ConfigError where two are named."""
    draft, repo = options.model_draft, options.hf_repo_draft
    if draft is not None and repo is not None and is_typed("model_draft"):
        raise _twice("--model-draft", "--hf-repo-draft")
    if draft is None and repo is not None:
        return _joined(repo, None)
    return draft


def _file(hf_file: str | None) -> str | None:
    """The file of the repository; one that is given less explicitly belongs to another."""
    ctx = click.get_current_context()
    return hf_file if rank(ctx, "hf_file") >= rank(ctx, "hf_repo") else None


def _joined(repo: str, file: str | None) -> str:
    from localsmc.store.hub import joined

    return joined(repo, file)


def _check_no_file(hf_file: str | None) -> None:
    if is_typed("hf_file"):
        raise ConfigError(
            "`--hf-file` needs one `--hf-repo`",
            hint=f"add `-hf user/repo`, or write both as -m user/repo/{hf_file}",
        )


def _twice(one: str, other: str) -> ConfigError:
    return ConfigError(f"the model is given twice, by `{one}` and `{other}`", hint="remove one of them")
