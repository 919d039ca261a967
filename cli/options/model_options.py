"""Options that name models, and say how to download them and where to put their layers."""

from __future__ import annotations

from typing import Any

import click

from localsmc_cli.options.base_command import Decorator, Heading, section, together
from localsmc_cli.options.choices import SPLIT_MODES
from localsmc_cli.options.param_types import CountType, GpuLayers, Shares

_model = section("Model")
_hf_file_option = _model(
    "-hff",
    "--hf-file",
    metavar="FILE",
    envvar="LLAMA_ARG_HF_FILE",
    rare=True,
    help="File to use from --hf-repo.",
)


def hub_options(heading: Heading) -> Decorator[Any]:
    """Options for access to the Hugging Face hub."""
    return together(
        heading(
            "-hft",
            "--hf-token",
            metavar="TOKEN",
            each_time="it is a secret; use HF_TOKEN or `hf auth login`",
            rare=True,
            help="Access token for the Hugging Face hub. [env: HF_TOKEN]"
            "  [default: the token saved by `hf auth login`]",
        ),
        heading(
            "--offline",
            is_flag=True,
            default=False,
            envvar="LLAMA_ARG_OFFLINE",
            rare=True,
            help="Never download; use only cached models. [env: LLAMA_ARG_OFFLINE, HF_HUB_OFFLINE]",
        ),
    )


def _named(parameter: str, *, multiple: bool = False) -> Decorator[Any]:
    """`-m` as this parameter, and llama.cpp's options for models of the hub."""
    again = " Can be repeated." if multiple else ""
    return together(
        _model(
            "-m",
            "--model",
            parameter,
            multiple=multiple,
            metavar="MODEL",
            envvar="LLAMA_ARG_MODEL",
            help="GGUF file, user/repo[:quant], ollama:NAME, lmstudio:NAME, or a name from `localsmc models`."
            f"{again}  [default: the embedded model]",
        ),
        _model(
            "-hf",
            "-hfr",
            "--hf-repo",
            "hf_repo",
            multiple=multiple,
            metavar="REPO",
            envvar="LLAMA_ARG_HF_REPO",
            rare=True,
            help="Same as -m user/repo[:quant].",
        ),
        _hf_file_option,
        hub_options(_model),
    )


model_option = _named("model")
models_option = _named("models", multiple=True)
loading_options = together(
    _model(
        "-ngl",
        "--gpu-layers",
        "--n-gpu-layers",
        "n_gpu_layers",
        type=GpuLayers(),
        metavar="N|auto|all",
        envvar="LLAMA_ARG_N_GPU_LAYERS",
        help="Layers to offload to the GPU.  [default: auto = as many as fit in its free memory]",
    ),
    _model(
        "-mg",
        "--main-gpu",
        type=CountType(0),
        metavar="N",
        envvar="LLAMA_ARG_MAIN_GPU",
        rare=True,
        help="GPU to use with --split-mode none.  [default: 0]",
    ),
    _model(
        "-sm",
        "--split-mode",
        type=click.Choice(SPLIT_MODES),
        envvar="LLAMA_ARG_SPLIT_MODE",
        rare=True,
        help="How to split the model across several GPUs.  [default: layer]",
    ),
    _model(
        "-ts",
        "--tensor-split",
        type=Shares(),
        metavar="N0,N1,...",
        envvar="LLAMA_ARG_TENSOR_SPLIT",
        rare=True,
        help="Share of the model for each GPU, e.g. 3,1.  [default: by free memory]",
    ),
    _model(
        "--chat-template",
        "--chat-template-file",
        "chat_template",
        metavar="NAME|FILE",
        envvar="LLAMA_ARG_CHAT_TEMPLATE",
        rare=True,
        help="Chat template: a name that llama.cpp knows, e.g. chatml, llama3 or gemma, a file with a Jinja"
        " template, or the template itself if it contains `{{`.  [default: the model's own]",
    ),
    _model(
        "--no-memory-check",
        is_flag=True,
        default=False,
        rare=True,
        help="Try to load a model even if it is larger than all memory.",
    ),
)

_draft = section("Draft model", rare=True)
draft_options = together(
    _draft(
        "-md",
        "--model-draft",
        "--spec-draft-model",
        "model_draft",
        metavar="MODEL",
        envvar="LLAMA_ARG_SPEC_DRAFT_MODEL",
        help="Draft model: a small model that proposes tokens, for methods with two models."
        "  [default: the embedded draft model, for the embedded model only]",
    ),
    _draft(
        "-hfd",
        "-hfrd",
        "--hf-repo-draft",
        "--spec-draft-hf",
        "hf_repo_draft",
        metavar="REPO",
        envvar="LLAMA_ARG_SPEC_DRAFT_HF_REPO",
        help="Same as -md user/repo[:quant].",
    ),
    _draft(
        "-ngld",
        "--gpu-layers-draft",
        "--n-gpu-layers-draft",
        "n_gpu_layers_draft",
        type=GpuLayers(),
        metavar="N|auto|all",
        envvar="LLAMA_ARG_N_GPU_LAYERS_DRAFT",
        help="Number of draft model layers to offload to the GPU.  [default: auto = as many as fit]",
    ),
    _draft(
        "-td",
        "--threads-draft",
        "n_threads_draft",
        type=CountType(-1),
        metavar="N",
        help="Number of threads for the draft model.  [default: -1 = number of cores, fewer for tiny models]",
    ),
)
draft_length_option = _draft(
    "--spec-draft-n-max",
    "n_max",
    type=int,
    metavar="N",
    envvar="LLAMA_ARG_SPEC_DRAFT_N_MAX",
    help="Maximum number of tokens the draft model proposes per round.  [default: depends on the method]",
)
