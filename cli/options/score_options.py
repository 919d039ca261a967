"""The options of `localsmc score`: texts, questions, ranks, a file."""

from __future__ import annotations

from localsmc_cli.options import common_options
from localsmc_cli.options.param_types import CountType

_THE_TEXT = "it gives the texts themselves"

_texts = common_options.section("Texts")
_choices = common_options.section("Multiple choice")
_ranks = common_options.section("Ranks")
_file = common_options.section("Perplexity")
_output = common_options.section("Output")
score_options = common_options.together(
    _texts("-p", "--prompt", metavar="TEXT", each_time=_THE_TEXT, help="What comes before each text."),
    _texts(
        "--data",
        metavar="FILE",
        each_time=_THE_TEXT,
        help="Rows of prompts and texts, instead of arguments: JSONL, JSON, CSV or Parquet.",
    ),
    _texts(
        "--question",
        metavar="FIELD",
        scope="score",
        help="Field of --data with the prompts.  [default: prompt or question]",
    ),
    _texts(
        "--completion",
        metavar="FIELD",
        scope="score",
        help="Field of --data with the texts.  [default: completion, text or answer]",
    ),
    _choices(
        "--choices",
        metavar="FIELD",
        scope="score",
        help="Field of --data with a list of options, or a field for each: A,B,C,D. The option with the"
        " highest log p is chosen.  [default: choices, options, endings, or A, B ...]",
    ),
    _choices(
        "--answer",
        metavar="FIELD",
        scope="score",
        help="Field of --data with the right option: its label, its number from 0, or its text."
        "  [default: answer, answerKey, gold, label or target]",
    ),
    _choices(
        "--letters",
        is_flag=True,
        default=False,
        scope="score",
        rare=True,
        help="List the options in the prompt, and score their letters.",
    ),
    _choices(
        "--template",
        metavar="TEXT",
        scope="score",
        rare=True,
        help="The prompt, with fields in braces; \\n is a line break."
        "  [default: Question: {question}\\nAnswer:, other fields as they are]",
    ),
    _ranks(
        "--ranks",
        metavar="RUN",
        each_time=_THE_TEXT,
        help="Print the rank of the right answer, or of TEXT, among those that a run of `eval` sampled.",
    ),
    _texts(
        "--chat",
        is_flag=True,
        default=False,
        scope="score",
        help="Send the prompt as a message, in the chat template; the text is the reply to it.",
    ),
    common_options.system_option(_texts),
    _texts(
        "--end",
        is_flag=True,
        default=False,
        scope="score",
        rare=True,
        help="Also score the token that ends the text.",
    ),
    _texts(
        "--special",
        is_flag=True,
        default=False,
        scope="score",
        rare=True,
        help="Read control tokens such as <|im_start|> in prompts and texts.",
    ),
    _file(
        "--perplexity",
        metavar="FILE",
        each_time=_THE_TEXT,
        help="Print the perplexity of a file, or of standard input if `-`, instead of scores of texts.",
    ),
    _file(
        "--window",
        type=CountType(2),
        metavar="N",
        scope="score",
        rare=True,
        help="Tokens that are read together.  [default: 512, or what the model was trained on]",
    ),
    _file(
        "--stride",
        type=CountType(1),
        metavar="N",
        scope="score",
        help="Begin a window every N tokens and score each token once.  [default: as llama-perplexity, which"
        " scores the second half of each window]",
    ),
    _output(
        "--tokens",
        is_flag=True,
        default=False,
        scope="score",
        help="Also print log p of each token, and the most probable token in its place.",
    ),
    _output(
        "--json",
        "as_json",
        is_flag=True,
        default=False,
        help="Print one JSON object per text, in order, or one with the perplexity.",
    ),
    common_options.mode_options(_output),
)
