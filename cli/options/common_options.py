"""Options that several commands share, with llama.cpp's spellings."""

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
    """The system message."""
    return heading(
        "-sys", "--system", "--system-prompt", "system", metavar="TEXT", help="System message for the model."
    )


def box_option(heading: Heading, default: str) -> Decorator[Any]:
    """Whether the model is asked to state its answer."""
    return heading(
        "--box",
        type=Switch(),
        metavar="on|off|auto",
        rare=True,
        help=f"Ask for the final answer in \\boxed{{}} below the problem.  [default: {default}]",
    )


def examples_option(heading: Heading) -> Decorator[Any]:
    """The worked examples that are put before a problem."""
    return heading(
        "--examples",
        metavar="FILE",
        help="Examples to show the model first: JSONL with questions and answers, or a text.",
    )


def raw_options(heading: Heading) -> Decorator[Any]:
    """The problem's text as the whole prompt."""
    return together(
        heading(
            "--raw",
            is_flag=True,
            default=False,
            rare=True,
            help="Continue the problem's text verbatim, without chat template or instruction.",
        ),
        heading(
            "--special",
            is_flag=True,
            default=False,
            rare=True,
            help="With --raw: read control tokens such as <|im_start|> in the text.",
        ),
    )


def mode_options(heading: Heading, verbose_help: str = "Also print llama.cpp's log.") -> Decorator[Any]:
    """How much is printed to standard error; see `Output.set_modes`."""
    return together(
        heading("-q", "--quiet", is_flag=True, default=False, help="Print only errors to stderr."),
        heading("-v", "--verbose", is_flag=True, default=False, help=verbose_help),
    )


def transcript_option(heading: Heading, help_text: str) -> Decorator[Any]:
    """The file that a conversation is saved to."""
    return heading("-o", "--output", "transcript", metavar="FILE", each_time=THE_RESULT, help=help_text)


def trace_option(heading: Heading) -> Decorator[Any]:
    """The file that each step is traced to."""
    return heading(
        "--trace",
        metavar="FILE",
        each_time=THE_RESULT,
        rare=True,
        help="Write every step to FILE as JSON lines.",
    )


def reasoning_option(heading: Heading) -> Decorator[Any]:
    """The switch for the model's reasoning."""
    return heading(
        "-rea",
        "--reasoning",
        type=Switch(),
        metavar="on|off|auto",
        envvar="LLAMA_ARG_REASONING",
        rare=True,
        help="Turn thinking on or off, if the chat template has a switch for it."
        "  [default: auto = the template's default]",
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
        help="Number of threads.  [default: -1 = number of cores, fewer for tiny models]",
    )


# --- the options --------------------------------------------------------------------------------

THE_PROBLEM, THE_RESULT = "it gives the problem itself", "every command would write to the same file"
"""Reasons why an option cannot be set in the environment or the configuration."""

_problem = section("Problem")
problem_options = together(
    _problem(
        "-p",
        "--prompt",
        metavar="TEXT",
        each_time=THE_PROBLEM,
        rare=True,
        help="The problem, as an option instead of an argument.",
    ),
    _problem(
        "-f",
        "--file",
        metavar="FILE",
        each_time=THE_PROBLEM,
        help="Read the problem from FILE, or stdin if `-`.",
    ),
    system_option(_problem),
    examples_option(_problem),
    box_option(
        _problem,
        "auto = for a problem with a short answer, a neutral sentence asks for it, unless --system,"
        " --examples or a grammar says how to reply",
    ),
    raw_options(_problem),
    reasoning_option(_problem),
)

_method = section("Method")
method_options = together(
    _method(
        "--method",
        "methods",
        multiple=True,
        metavar="METHOD",
        help="Sampling method, with options after a colon, e.g. power-smc:N=16,alpha=4. Repeat to compare"
        " methods (solve only). See `localsmc methods`.  [default: power-smc]",
    ),
    _method(
        "-N",
        "--particles",
        type=int,
        metavar="N",
        help="Particles, samples or chains.  [default: by method; power-smc: 16]",
    ),
    _method(
        "--alpha",
        type=float,
        metavar="X",
        help="Power methods: exponent alpha, at least 1.  [default: depends on the method; power-smc: 4"
        " with the embedded model, else 2]",
    ),
    _method(
        "--ramp",
        type=int,
        metavar="N",
        rare=True,
        help="power-smc: number of tokens over which the exponent rises from 1 to alpha."
        "  [default: 40 with the embedded model, else 50]",
    ),
    _method(
        "--ess-threshold",
        type=float,
        metavar="X",
        rare=True,
        help="power-smc: resample when the effective sample size falls below this fraction of N; has no"
        " effect with fearnhead-clifford.  [default: 0.5]",
    ),
    _method(
        "--resampling",
        type=click.Choice(RESAMPLING),
        rare=True,
        help="power-smc: resampling scheme.  [default: fearnhead-clifford]",
    ),
    _method(
        "--stop-when-decided",
        type=float,
        metavar="X",
        rare=True,
        help="power-smc with --select majority: stop early once one answer is sure to keep at least this"
        " share of the weight (above 0.5, up to 1), assuming no further resampling.  [default: 0 = off]",
    ),
    _method(
        "--temp",
        "--temperature",
        "temperature",
        type=float,
        metavar="X",
        rare=True,
        help="Sampling methods: temperature.  [default: 1]",
    ),
    _method(
        "--top-k",
        type=int,
        metavar="N",
        rare=True,
        help="Sampling methods: sample from the N most likely tokens.  [default: 0 = all]",
    ),
    _method(
        "--top-p",
        type=float,
        metavar="X",
        rare=True,
        help="Sampling methods: sample from the most likely tokens that together have this probability."
        "  [default: 1 = all]",
    ),
    _method(
        "--min-p",
        type=float,
        metavar="X",
        rare=True,
        help="Sampling methods: sample from tokens with at least this fraction of the most likely token's"
        " probability.  [default: 0 = all]",
    ),
    _method(
        "--select",
        type=click.Choice(SELECT),
        help="Which completion to print: drawn by weight (draw), heaviest (argmax), of the answer with most"
        " weight (majority) or most completions (distinct), most probable in total (best) or per token"
        " (best-mean).  [default: depends on the method]",
    ),
    _method(
        "-s",
        "--seed",
        type=CountType(-1, 2**63 - 1),
        metavar="N",
        default=-1,
        help="Random seed; results are reproducible on the same machine.  [default: -1 = random]",
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
        help="Maximum number of tokens, or -1 for as many as fit."
        "  [default: 256 with the embedded model, else 1024]",
    ),
    _limits(
        "--stop",
        multiple=True,
        metavar="TEXT",
        rare=True,
        help="Stop before this string of the reply; it can name control tokens. Can be repeated.",
    ),
    _limits(
        "--stop-at-box",
        is_flag=True,
        default=False,
        rare=True,
        help="Stop after the first complete \\boxed{...} of the reply.",
    ),
    _limits(
        "--conclude",
        type=click.Choice(("auto", "on", "off")),
        rare=True,
        help="Ask each completion that states no answer for one, after the run; it is read greedily, in at"
        " most 32 tokens, and changes no weight.  [default: auto = on in eval, and for problems if a vote"
        " selects]",
    ),
    _limits(
        "--budget",
        type=SecondsType(),
        help="Stop after this many seconds and print the best result so far (model loading excluded)."
        "  [default: no limit]",
    ),
)

_shape = section("Constrained decoding", rare=True)
grammar_options = together(
    _shape(
        "--grammar",
        "--grammar-file",
        "grammar",
        metavar="FILE",
        help="Constrain output to a GBNF grammar: a file, or the grammar itself if it contains `::=`.",
    ),
    _shape(
        "-j",
        "--json-schema",
        "json_schema",
        metavar="JSON|FILE",
        help="Constrain output to a JSON schema, given inline (starting with `{`) or as a file.",
    ),
    _shape(
        "-jf",
        "--json-schema-file",
        "json_schema_file",
        metavar="FILE",
        help="Same as --json-schema, read from FILE.",
    ),
)

_output = section("Output")
output_options = together(
    _output(
        "--json", "as_json", is_flag=True, default=False, help="Print the whole result as one JSON object."
    ),
    transcript_option(_output, "Save problem and reply, for `localsmc chat -c FILE`."),
    trace_option(_output),
    mode_options(_output, "Also print prompt, sizes, timings and llama.cpp's log."),
)

_context = section("Context", rare=True)


def cells_option(*names: str) -> Decorator[Any]:
    """The context size, as an option with these names."""
    return _context(
        *names,
        "n_ctx",
        rare=False,
        type=CountType(0),
        metavar="N",
        envvar="LLAMA_ARG_CTX_SIZE",
        help="KV cache size in tokens, shared by all particles.  [default: 0 = chosen from prompt,"
        " particles and free memory]",
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
        help="Use flash attention.  [default: auto]",
    ),
    _context(
        "-ctk",
        "--cache-type-k",
        "type_k",
        type=click.Choice(KV_TYPES),
        metavar="TYPE",
        envvar="LLAMA_ARG_CACHE_TYPE_K",
        help="KV cache data type for keys: f32, f16, bf16, q8_0, q4_0 ...  [default: f16]",
    ),
    _context(
        "-ctv",
        "--cache-type-v",
        "type_v",
        type=click.Choice(KV_TYPES),
        metavar="TYPE",
        envvar="LLAMA_ARG_CACHE_TYPE_V",
        help="KV cache data type for values.  [default: f16]",
    ),
    _context(
        "-b",
        "--batch-size",
        "n_batch",
        type=CountType(1),
        metavar="N",
        envvar="LLAMA_ARG_BATCH",
        help="Logical batch size: maximum number of tokens per llama.cpp batch.  [default: 2048]",
    ),
    _context(
        "-ub",
        "--ubatch-size",
        "n_ubatch",
        type=CountType(1),
        metavar="N",
        envvar="LLAMA_ARG_UBATCH",
        help="Physical batch size: maximum number of tokens computed at once.  [default: 512]",
    ),
)
context_options = together(cells_option("-c", "--ctx-size"), context_options_without_cells)
