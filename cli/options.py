"""Options under headings, spelled as llama.cpp spells them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from localsmc_cli.choices import KV_TYPES, METHODS, RESAMPLING, SELECT, SPLIT_MODES
from localsmc_cli.kinds import Count, GpuLayers, Seconds, Shares, Switch, TokenLimit

# --- headings -----------------------------------------------------------------------------------


class Option(click.Option):
    """An option that knows the heading it stands under."""

    def __init__(self, *args: Any, section: str, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.section = section


class Command(click.Command):
    """A command whose help has its options under headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, in the order of the headings' first appearance."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                sections.setdefault(getattr(param, "section", "Help"), []).append(record)
        for name, records in sections.items():
            with formatter.section(name):
                formatter.write_dl(records, col_max=30)


CommandT = TypeVar("CommandT", bound=Callable[..., Any])
Decorator = Callable[[CommandT], CommandT]


def section(name: str) -> Callable[..., Decorator[Any]]:
    """What makes options under a heading; those that are not given are None."""
    return functools.partial(click.option, cls=Option, section=name, default=None)


def together(*options: Decorator[Any]) -> Decorator[Any]:
    """Several options as one decorator, listed in the order given."""

    def decorate(command: CommandT) -> CommandT:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


Heading = Callable[..., Decorator[Any]]
"""What `section` gives."""


def system_option(heading: Heading) -> Decorator[Any]:
    """A system message."""
    return heading("-sys", "--system", "--system-prompt", "system", metavar="TEXT", help="A system message.")


def mode_options(
    heading: Heading, verbose_help: str = "llama.cpp's log on standard error."
) -> Decorator[Any]:
    """What is on standard error; see `Output.set_modes`."""
    return together(
        heading("-q", "--quiet", is_flag=True, default=False, help="Nothing on standard error but errors."),
        heading("-v", "--verbose", is_flag=True, default=False, help=verbose_help),
    )


def reasoning_option(heading: Heading) -> Decorator[Any]:
    """The switch for thinking."""
    return heading(
        "-rea",
        "--reasoning",
        type=Switch(),
        metavar="on|off|auto",
        envvar="LLAMA_ARG_REASONING",
        help="Thinking, where the chat template has a switch for it.  [default: auto, the template's own]",
    )


def threads_option(heading: Heading) -> Decorator[Any]:
    """The number of threads."""
    return heading(
        "-t",
        "--threads",
        "n_threads",
        type=Count(-1),
        metavar="N",
        envvar="LLAMA_ARG_THREADS",
        help="Threads.  [default: -1, the number of cores, fewer for tiny models]",
    )


# --- the options --------------------------------------------------------------------------------

_problem = section("Problem")
problem_options = together(
    _problem("-p", "--prompt", metavar="TEXT", help="The problem, as an option."),
    _problem("-f", "--file", metavar="FILE", help="A text file with the problem; - is standard input."),
    system_option(_problem),
    _problem(
        "--raw",
        is_flag=True,
        default=False,
        help="Continue the problem's text as it is, without chat template and instruction.",
    ),
    reasoning_option(_problem),
)

_method = section("Method")
method_options = together(
    _method(
        "--method",
        "methods",
        multiple=True,
        metavar="METHOD",
        help=f"{', '.join(METHODS)}, with its options, for example power-smc:N=16,alpha=4; `localsmc methods`"
        " tells of them. Given several times, the methods are compared.  [default: power-smc]",
    ),
    _method(
        "-N",
        "--particles",
        type=int,
        metavar="N",
        help="Particles, samples or chains.  [default: the method's own, 16 for power-smc]",
    ),
    _method(
        "--alpha",
        type=float,
        metavar="X",
        help="Power methods: exponent, from 1."
        "  [default: the method's own, for power-smc 4 for the embedded model, 2 for others]",
    ),
    _method(
        "--ramp",
        type=int,
        metavar="N",
        help="power-smc: tokens over which the exponent rises from 1."
        "  [default: 40 for the embedded model, 100 for others]",
    ),
    _method(
        "--ess-threshold",
        type=float,
        metavar="X",
        help="power-smc: resample below this share of effective particles; not for optimal.  [default: 0.5]",
    ),
    _method(
        "--resampling",
        type=click.Choice(RESAMPLING),
        help="power-smc: how to resample.  [default: optimal]",
    ),
    _method(
        "--settle",
        type=float,
        metavar="X",
        help="power-smc, for --select majority: stop when an answer has this share of the weight, above 0.5,"
        " whatever the unfinished texts come to (if nothing is resampled any more).  [default: 0, off]",
    ),
    _method(
        "--temp",
        "--temperature",
        "temperature",
        type=float,
        metavar="X",
        help="Samples: temperature.  [default: 1]",
    ),
    _method("--top-k", type=int, metavar="N", help="Samples: the N likeliest tokens.  [default: 0, all]"),
    _method(
        "--top-p",
        type=float,
        metavar="X",
        help="Samples: the likeliest tokens of this mass.  [default: 1, all]",
    ),
    _method(
        "--min-p",
        type=float,
        metavar="X",
        help="Samples: tokens with this share of the likeliest one's probability.  [default: 0, all]",
    ),
    _method(
        "--select",
        type=click.Choice(SELECT),
        help="Which completion is shown: one drawn by weight, the heaviest, the heaviest of the answer with"
        " most weight or most distinct texts, the most probable, or the one most probable a token."
        "  [default: the method's own; best for best-of-n, majority for self-consistency and ssr,"
        " draw for others]",
    ),
    _method(
        "-s",
        "--seed",
        type=Count(-1, 2**63 - 1),
        metavar="N",
        default=-1,
        help="The same seed gives the same result on the same machine.  [default: -1, random]",
    ),
)

_limits = section("Limits")
limit_options = together(
    _limits(
        "-n",
        "--predict",
        "--n-predict",
        "n_predict",
        type=TokenLimit(),
        envvar="LLAMA_ARG_N_PREDICT",
        help="Tokens to generate at most, -1 as many as fit."
        "  [default: 256 for the embedded model, 1024 for others]",
    ),
    _limits(
        "--stop", multiple=True, metavar="TEXT", help="Stop before this text; may be given several times."
    ),
    _limits("--stop-at-box", is_flag=True, default=False, help="Stop after the first complete \\boxed{...}."),
    _limits(
        "--budget",
        type=Seconds(),
        help="Give the best result there is after this time, loading the model not counted."
        "  [default: no limit]",
    ),
)

_shape = section("Shape of the text")
grammar_options = together(
    _shape(
        "--grammar",
        "--grammar-file",
        "grammar",
        metavar="FILE",
        help="Only texts of this GBNF grammar; a text with ::= in it is one itself.",
    ),
    _shape(
        "-j",
        "--json-schema",
        "json_schema",
        metavar="JSON|FILE",
        help="Only JSON of this schema, which is given as it is, from { on, or in a file.",
    ),
    _shape("-jf", "--json-schema-file", "json_schema_file", metavar="FILE", help="The same from a file."),
)

_output = section("Output")
output_options = together(
    _output("--json", "as_json", is_flag=True, default=False, help="Everything as one JSON object."),
    _output("--trace", metavar="FILE", help="Write every step to a file, as lines of JSON."),
    mode_options(_output, "Prompt, sizes, timings and llama.cpp's log on standard error."),
)

_model = section("Model")
model_option = _model(
    "-m",
    "--model",
    metavar="FILE",
    envvar="LLAMA_ARG_MODEL",
    help="A GGUF file.  [default: the embedded model]",
)
models_option = _model(
    "-m",
    "--model",
    "models",
    multiple=True,
    metavar="FILE",
    help="A GGUF file; may be given several times.  [default: the embedded model]",
)
loading_options = together(
    _model(
        "-ngl",
        "--gpu-layers",
        "--n-gpu-layers",
        "n_gpu_layers",
        type=GpuLayers(),
        metavar="N|auto|all",
        envvar="LLAMA_ARG_N_GPU_LAYERS",
        help="Layers to keep on the GPU.  [default: auto, all where there is one]",
    ),
    _model(
        "-mg",
        "--main-gpu",
        type=Count(0),
        metavar="N",
        envvar="LLAMA_ARG_MAIN_GPU",
        help="The GPU to use where the split mode is none.  [default: 0]",
    ),
    _model(
        "-sm",
        "--split-mode",
        type=click.Choice(SPLIT_MODES),
        envvar="LLAMA_ARG_SPLIT_MODE",
        help="How to split over several GPUs.  [default: layer]",
    ),
    _model(
        "-ts",
        "--tensor-split",
        type=Shares(),
        metavar="N0,N1,...",
        envvar="LLAMA_ARG_TENSOR_SPLIT",
        help="Each GPU's share, for example 3,1.  [default: by free memory]",
    ),
)

_draft = section("Draft model")
draft_options = together(
    _draft(
        "-md",
        "--model-draft",
        "--spec-draft-model",
        "model_draft",
        metavar="FILE",
        envvar="LLAMA_ARG_SPEC_DRAFT_MODEL",
        help="A small GGUF that writes drafts, for methods with two models."
        "  [default: the embedded model's, for the embedded model]",
    ),
    _draft(
        "-ngld",
        "--gpu-layers-draft",
        "--n-gpu-layers-draft",
        "n_gpu_layers_draft",
        type=GpuLayers(),
        metavar="N|auto|all",
        envvar="LLAMA_ARG_N_GPU_LAYERS_DRAFT",
        help="Its layers to keep on the GPU.  [default: auto, all where there is one]",
    ),
    _draft(
        "-td",
        "--threads-draft",
        "n_threads_draft",
        type=Count(-1),
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

_context = section("Context")
context_options = together(
    _context(
        "-c",
        "--ctx-size",
        "n_ctx",
        type=Count(0),
        metavar="N",
        envvar="LLAMA_ARG_CTX_SIZE",
        help="Tokens in memory, all particles together.  [default: 0, by prompt, particles and free memory]",
    ),
    threads_option(_context),
    _context(
        "-fa",
        "--flash-attn",
        "flash_attention",
        type=Switch(),
        metavar="on|off|auto",
        envvar="LLAMA_ARG_FLASH_ATTN",
        help="Flash attention.  [default: auto]",
    ),
    _context(
        "-ctk",
        "--cache-type-k",
        "type_k",
        type=click.Choice(KV_TYPES),
        metavar="TYPE",
        envvar="LLAMA_ARG_CACHE_TYPE_K",
        help="Type of the cached keys: f32, f16, bf16, q8_0, q4_0 ...  [default: f16]",
    ),
    _context(
        "-ctv",
        "--cache-type-v",
        "type_v",
        type=click.Choice(KV_TYPES),
        metavar="TYPE",
        envvar="LLAMA_ARG_CACHE_TYPE_V",
        help="Type of the cached values.  [default: f16]",
    ),
    _context(
        "-b",
        "--batch-size",
        "n_batch",
        type=Count(1),
        metavar="N",
        envvar="LLAMA_ARG_BATCH",
        help="Rows handed to llama.cpp at once.  [default: 2048]",
    ),
    _context(
        "-ub",
        "--ubatch-size",
        "n_ubatch",
        type=Count(1),
        metavar="N",
        envvar="LLAMA_ARG_UBATCH",
        help="Rows computed at once.  [default: 512]",
    ),
)
