"""Options under headings, spelled as llama.cpp spells them."""

from __future__ import annotations

from typing import Any

import click

from localsmc_cli.config.configurable_command import ConfigurableCommand
from localsmc_cli.options.base_command import (
    CommandGroup,
    Decorator,
    Heading,
    Option,
    completed_as,
    examples,
    section,
    together,
)
from localsmc_cli.options.choices import KV_TYPES, RESAMPLING, SELECT
from localsmc_cli.options.param_types import CountType, SecondsType, Switch, TokenLimit

__all__ = ["ConfigurableCommand", "CommandGroup", "Option", "completed_as", "examples", "section", "together"]


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


def transcript_option(heading: Heading, help_text: str) -> Decorator[Any]:
    """The file of what was said."""
    return heading("-o", "--output", "transcript", metavar="FILE", each_time=THE_RESULT, help=help_text)


def trace_option(heading: Heading) -> Decorator[Any]:
    """The file of steps."""
    return heading(
        "--trace",
        metavar="FILE",
        each_time=THE_RESULT,
        rare=True,
        help="Write every step to a file, as lines of JSON.",
    )


def reasoning_option(heading: Heading) -> Decorator[Any]:
    """The switch for thinking."""
    return heading(
        "-rea",
        "--reasoning",
        type=Switch(),
        metavar="on|off|auto",
        envvar="LLAMA_ARG_REASONING",
        rare=True,
        help="Thinking, where the chat template has a switch for it.  [default: auto, the template's own]",
    )


def threads_option(heading: Heading) -> Decorator[Any]:
    """The number of threads."""
    return heading(
        "-t",
        "--threads",
        "n_threads",
        type=CountType(-1),
        metavar="N",
        envvar="LLAMA_ARG_THREADS",
        help="Threads.  [default: -1, the number of cores, fewer for tiny models]",
    )


# --- the options --------------------------------------------------------------------------------

THE_PROBLEM, THE_RESULT = "it is the problem itself", "the next command would write there, too"
"""Why an option has no variable and is not in the configuration."""

_problem = section("Problem")
problem_options = together(
    _problem(
        "-p", "--prompt", metavar="TEXT", each_time=THE_PROBLEM, rare=True, help="The problem, as an option."
    ),
    _problem(
        "-f",
        "--file",
        metavar="FILE",
        each_time=THE_PROBLEM,
        help="A text file with the problem; - is standard input.",
    ),
    system_option(_problem),
    _problem(
        "--raw",
        is_flag=True,
        default=False,
        rare=True,
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
        help="power-smc, sample, greedy or another that `localsmc methods` tells of, with its options:"
        " power-smc:N=16,alpha=4. Several are compared.  [default: power-smc]",
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
        rare=True,
        help="power-smc: tokens over which the exponent rises from 1."
        "  [default: 40 for the embedded model, 100 for others]",
    ),
    _method(
        "--ess-threshold",
        type=float,
        metavar="X",
        rare=True,
        help="power-smc: resample when the effective sample size falls below this share of N; no effect"
        " with fearnhead-clifford.  [default: 0.5]",
    ),
    _method(
        "--resampling",
        type=click.Choice(RESAMPLING),
        rare=True,
        help="power-smc: how to resample.  [default: fearnhead-clifford]",
    ),
    _method(
        "--stop-when-decided",
        type=float,
        metavar="X",
        rare=True,
        help="power-smc, for --select majority: stop when an answer has this share of the weight, above 0.5,"
        " whatever the unfinished texts come to (if nothing is resampled any more).  [default: 0, off]",
    ),
    _method(
        "--temp",
        "--temperature",
        "temperature",
        type=float,
        metavar="X",
        rare=True,
        help="Samples: temperature.  [default: 1]",
    ),
    _method(
        "--top-k",
        type=int,
        metavar="N",
        rare=True,
        help="Samples: the N likeliest tokens.  [default: 0, all]",
    ),
    _method(
        "--top-p",
        type=float,
        metavar="X",
        rare=True,
        help="Samples: the likeliest tokens of this mass.  [default: 1, all]",
    ),
    _method(
        "--min-p",
        type=float,
        metavar="X",
        rare=True,
        help="Samples: tokens with this share of the likeliest one's probability.  [default: 0, all]",
    ),
    _method(
        "--select",
        type=click.Choice(SELECT),
        help="Which text is shown: one drawn by weight, the heaviest, the heaviest of the answer with most"
        " weight or most distinct texts, the most probable, or that a token.  [default: the method's own]",
    ),
    _method(
        "-s",
        "--seed",
        type=CountType(-1, 2**63 - 1),
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
        "--stop",
        multiple=True,
        metavar="TEXT",
        rare=True,
        help="Stop before this text; may be given several times.",
    ),
    _limits(
        "--stop-at-box",
        is_flag=True,
        default=False,
        rare=True,
        help="Stop after the first complete \\boxed{...}.",
    ),
    _limits(
        "--budget",
        type=SecondsType(),
        help="Give the best result there is after this time, loading the model not counted."
        "  [default: no limit]",
    ),
)

_shape = section("Shape of the text", rare=True)
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
    transcript_option(_output, "Write problem and reply to a file, which `chat -c` goes on from."),
    trace_option(_output),
    mode_options(_output, "Prompt, sizes, timings and llama.cpp's log on standard error."),
)

_context = section("Context", rare=True)


def cells_option(*names: str) -> Decorator[Any]:
    """The size of the context, under these names."""
    return _context(
        *names,
        "n_ctx",
        rare=False,
        type=CountType(0),
        metavar="N",
        envvar="LLAMA_ARG_CTX_SIZE",
        help="Tokens in memory, all particles together.  [default: 0, by prompt, particles and free memory]",
    )


context_options_without_cells = together(
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
        type=CountType(1),
        metavar="N",
        envvar="LLAMA_ARG_BATCH",
        help="Rows handed to llama.cpp at once.  [default: 2048]",
    ),
    _context(
        "-ub",
        "--ubatch-size",
        "n_ubatch",
        type=CountType(1),
        metavar="N",
        envvar="LLAMA_ARG_UBATCH",
        help="Rows computed at once.  [default: 512]",
    ),
)
context_options = together(cells_option("-c", "--ctx-size"), context_options_without_cells)
