"""Options that name models, say how they are reached and where their layers go."""

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
            rare=True,
            help="For the hub.  [default: HF_TOKEN, or the saved one]",
        ),
        heading(
            "--offline",
            is_flag=True,
            default=False,
            envvar="LLAMA_ARG_OFFLINE",
            rare=True,
            help="Take from the cache only what else would be downloaded; LLAMA_ARG_OFFLINE, HF_HUB_OFFLINE.",
        ),
    )


def _named(parameter: str, *, multiple: bool = False) -> Decorator[Any]:
    """`-m` under a parameter's name, and llama.cpp's own words for the hub's models."""
    again = "; may be given several times" if multiple else ""
    return together(
        _model(
            "-m",
            "--model",
            parameter,
            multiple=multiple,
            metavar="MODEL",
            envvar="LLAMA_ARG_MODEL",
            help="A GGUF file, user/repo[:quant] of the Hugging Face hub, or a name of `localsmc models`"
            f"{again}.  [default: the embedded model]",
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
            help="The same as -m user/repo[:quant].",
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
        help="Layers to keep on the GPU.  [default: auto, as many as fit into its free memory]",
    ),
    _model(
        "-mg",
        "--main-gpu",
        type=CountType(0),
        metavar="N",
        envvar="LLAMA_ARG_MAIN_GPU",
        rare=True,
        help="The GPU to use where the split mode is none.  [default: 0]",
    ),
    _model(
        "-sm",
        "--split-mode",
        type=click.Choice(SPLIT_MODES),
        envvar="LLAMA_ARG_SPLIT_MODE",
        rare=True,
        help="How to split over several GPUs.  [default: layer]",
    ),
    _model(
        "-ts",
        "--tensor-split",
        type=Shares(),
        metavar="N0,N1,...",
        envvar="LLAMA_ARG_TENSOR_SPLIT",
        rare=True,
        help="Each GPU's share, for example 3,1.  [default: by free memory]",
    ),
    _model(
        "--no-memory-check",
        is_flag=True,
        default=False,
        rare=True,
        help="Try a model that is larger than all memory.",
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
        help="A small model that writes drafts, for methods with two models."
        "  [default: the embedded model's, for the embedded model]",
    ),
    _draft(
        "-hfd",
        "-hfrd",
        "--hf-repo-draft",
        "--spec-draft-hf",
        "hf_repo_draft",
        metavar="REPO",
        envvar="LLAMA_ARG_SPEC_DRAFT_HF_REPO",
        help="The same as -md user/repo[:quant].",
    ),
    _draft(
        "-ngld",
        "--gpu-layers-draft",
        "--n-gpu-layers-draft",
        "n_gpu_layers_draft",
        type=GpuLayers(),
        metavar="N|auto|all",
        envvar="LLAMA_ARG_N_GPU_LAYERS_DRAFT",
        help="Its layers to keep on the GPU.  [default: auto, as many as fit]",
    ),
    _draft(
        "-td",
        "--threads-draft",
        "n_threads_draft",
        type=CountType(-1),
        metavar="N",
        help="Its threads.  [default: -1, the number of cores, fewer for tiny models]",
    ),
)
draft_length_option = _draft(
    "--spec-draft-n-max",
    "n_max",
    type=int,
    metavar="N",
    envvar="LLAMA_ARG_SPEC_DRAFT_N_MAX",
    help="Tokens that it writes ahead of the other model.  [default: the method's own]",
)
