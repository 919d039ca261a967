"""The models that a command line names, by `-m` or as llama.cpp has it for the hub; as one name each."""

from __future__ import annotations

from typing import Any

import click

from localsmc.errors import ConfigError
from localsmc_cli.command import Decorator, Heading, section, together
from localsmc_cli.given import Given
from localsmc_cli.origins import is_typed, rank

_model = section("Model")
_hf_file_option = _model(
    "-hff",
    "--hf-file",
    metavar="FILE",
    envvar="LLAMA_ARG_HF_FILE",
    help="A certain file of --hf-repo.",
)


def hub_options(heading: Heading) -> Decorator[Any]:
    """How the Hugging Face hub is reached."""
    return together(
        heading(
            "-hft",
            "--hf-token",
            metavar="TOKEN",
            each_time="it is a secret, which HF_TOKEN or `hf auth login` keeps",
            help="For the hub.  [default: HF_TOKEN, or the saved one]",
        ),
        heading(
            "--offline",
            is_flag=True,
            default=False,
            envvar="LLAMA_ARG_OFFLINE",
            help="Take from the cache only what else would be downloaded; LLAMA_ARG_OFFLINE, HF_HUB_OFFLINE.",
        ),
    )


model_option = together(
    _model(
        "-m",
        "--model",
        metavar="MODEL",
        envvar="LLAMA_ARG_MODEL",
        help="A GGUF file, user/repo[:quant] of the Hugging Face hub, or a name of `localsmc models`."
        "  [default: the embedded model]",
    ),
    _model(
        "-hf",
        "-hfr",
        "--hf-repo",
        "hf_repo",
        metavar="REPO",
        envvar="LLAMA_ARG_HF_REPO",
        help="The same as -m user/repo[:quant].",
    ),
    _hf_file_option,
    hub_options(_model),
)
models_option = together(
    _model(
        "-m",
        "--model",
        "models",
        multiple=True,
        metavar="MODEL",
        envvar="LLAMA_ARG_MODEL",
        help="A GGUF file, user/repo[:quant] of the Hugging Face hub, or a name of `localsmc models`; may be"
        " given several times.  [default: the embedded model]",
    ),
    _model(
        "-hf",
        "-hfr",
        "--hf-repo",
        "hf_repo",
        multiple=True,
        metavar="REPO",
        envvar="LLAMA_ARG_HF_REPO",
        help="The same as -m user/repo[:quant].",
    ),
    _hf_file_option,
    hub_options(_model),
)


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
    from localsmc.hub import joined

    return joined(repo, file)


def _check_no_file(given: Given) -> None:
    if is_typed("hf_file"):
        raise ConfigError(
            "`--hf-file` is a file of one `--hf-repo`",
            hint=f"add `-hf user/repo`, or write both as -m user/repo/{given['hf_file']}",
        )


def _twice(one: str, other: str) -> ConfigError:
    return ConfigError(f"the model is given twice, by `{one}` and `{other}`", hint="leave one of them out")
