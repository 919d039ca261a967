"""The models that a command line names, by `-m` or as llama.cpp has it for the hub; as one name each."""

from __future__ import annotations

import os
from typing import Any

from localsmc.errors import ConfigError
from localsmc_cli.given import Given, is_typed
from localsmc_cli.options import Decorator, Heading, section, together

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
            "-hft", "--hf-token", metavar="TOKEN", help="For the hub.  [default: HF_TOKEN, or the saved one]"
        ),
        heading(
            "--offline",
            is_flag=True,
            default=False,
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
        help="The same as -m user/repo[:quant].",
    ),
    _hf_file_option,
    hub_options(_model),
)


def with_models(given: Given, *, has_others: bool = False) -> dict[str, Any]:
    """The command line with `model` or `models`, and `model_draft`, as they are meant; raises ConfigError.

    The environment counts where nothing is typed, and no models are there that have no name (`has_others`).
    """
    named: dict[str, object] = {"model_draft": _draft(given)}
    if "models" in given:
        named["models"] = _several(given) or (() if has_others else _of_environment())
    else:
        named["model"] = _one(given)
    return {**given, **named}


def _one(given: Given) -> str | None:
    """What is typed wins over the environment, and `-m` over `-hf`."""
    if is_typed("model") and is_typed("hf_repo"):
        raise _twice("--model", "--hf-repo")
    if given["model"] is not None and not is_typed("hf_repo"):
        _check_no_file(given)
        return str(given["model"])
    if given["hf_repo"] is None:
        _check_no_file(given)
        return None
    return _joined(given["hf_repo"], given["hf_file"])


def _several(given: Given) -> tuple[str, ...]:
    repos, file = given["hf_repo"], given["hf_file"] if is_typed("hf_file") else None
    if len(repos) != 1:
        _check_no_file(given)
    return (*given["models"], *(_joined(repo, file) for repo in repos))


def _of_environment() -> tuple[str, ...]:
    # Not click's `envvar`: of an option that may be given several times it would split paths at spaces.
    if model := os.environ.get("LLAMA_ARG_MODEL"):
        return (model,)
    repo = os.environ.get("LLAMA_ARG_HF_REPO")
    return (_joined(repo, os.environ.get("LLAMA_ARG_HF_FILE") or None),) if repo else ()


def _draft(given: Given) -> str | None:
    if is_typed("model_draft") and is_typed("hf_repo_draft"):
        raise _twice("--model-draft", "--hf-repo-draft")
    if given["hf_repo_draft"] is None or (given["model_draft"] is not None and not is_typed("hf_repo_draft")):
        draft: str | None = given["model_draft"]
        return draft
    return _joined(given["hf_repo_draft"], None)


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
