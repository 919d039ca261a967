"""The table of standard data sets on the Hugging Face hub.

No listing of the hub was at hand when the file names were written down: they are those that public programs
download. `is_verified` says of which a listing has been read. A name that is wrong is an error that lists the
files there are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from localsmc.evals.tasks import row_wording
from localsmc.system.row_files import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardTask:
    """A data set on the hub. Of several field names, the first one that a row has is used."""

    description: str
    version: int
    repository: str
    file: str
    """The file with the problems. If it has `{part}`, there is one for each of `parts`."""
    parts: tuple[str, ...] = ()
    is_verified: bool = False
    """Whether a listing of the hub has shown the file."""
    training: str | None = None
    """The file with training problems, whose answers are worked out."""
    grader: str
    question: tuple[str, ...]
    answer: tuple[str, ...]
    worded: Callable[[Row], str] | None = None
    """The problem, of all fields of a row. The default is the question's field."""
    solved: Callable[[Row], str] | None = None
    """The gold answer, of all fields of a row. The default is the answer's field, with `gold`."""
    gold: Callable[[str], str] = str.strip
    """Extract the answer from the answer field."""
    choices: tuple[str, ...] = ()
    """Fields with wrong answers. If given, the question lists the options and the gold answer is a letter."""
    options: str | None = None
    """The field with all options, in the order in which the question lists them."""
    family: str | None = None
    has_levels: bool = False

    @property
    def files(self) -> tuple[str, ...]:
        """The files with the problems."""
        return tuple(self.file.format(part=part) for part in self.parts) if self.parts else (self.file,)

    @property
    def filters(self) -> tuple[str, ...]:
        """The options that choose among its problems."""
        return (*(("levels",) if self.has_levels else ()), *(("family",) if self.family else ()))


STANDARD: dict[str, StandardTask] = {
    "gsm8k": StandardTask(
        description="grade school mathematics, 1,319 word problems",
        version=3,
        repository="openai/gsm8k",
        file="main/test-00000-of-00001.parquet",
        training="main/train-00000-of-00001.parquet",
        grader="numeric",
        question=("question",),
        answer=("answer",),
        gold=row_wording.after_hashes,
    ),
    "math-500": StandardTask(
        description="500 problems of the MATH competition set",
        version=3,
        repository="HuggingFaceH4/MATH-500",
        file="test.jsonl",
        grader="math",
        question=("problem", "prompt"),
        answer=("answer",),
        family="subject",
        has_levels=True,
    ),
    "math": StandardTask(
        description="5,000 problems of the MATH competition set, in levels 1 to 5",
        version=1,
        repository="EleutherAI/hendrycks_math",
        file="{part}/test-00000-of-00001.parquet",
        parts=(
            "algebra",
            "counting_and_probability",
            "geometry",
            "intermediate_algebra",
            "number_theory",
            "prealgebra",
            "precalculus",
        ),
        grader="math",
        question=("problem",),
        answer=("solution",),
        gold=row_wording.last_box,
        family="type",
        has_levels=True,
    ),
    "gsm-symbolic": StandardTask(
        description="5,000 word problems of GSM8K with other names and numbers",
        version=1,
        repository="apple/GSM-Symbolic",
        file="main/test.jsonl",
        grader="numeric",
        question=("question",),
        answer=("answer",),
        gold=row_wording.after_hashes,
    ),
    "svamp": StandardTask(
        description="300 short word problems, worded to mislead",
        version=1,
        repository="ChilleD/SVAMP",
        file="test.json",
        training="train.json",
        grader="numeric",
        question=("question_concat", "question"),
        answer=("answer", "Answer"),
        worded=row_wording.body_and_question,
        gold=row_wording.whole_number,
        family="Type",
    ),
    "aime-2024": StandardTask(
        description="30 problems of AIME 2024, answers are integers",
        version=3,
        repository="HuggingFaceH4/aime_2024",
        file="data/train-00000-of-00001.parquet",
        grader="numeric",
        question=("problem",),
        answer=("answer",),
    ),
    "aime-2025": StandardTask(
        description="30 problems of AIME 2025, answers are integers",
        version=3,
        repository="math-ai/aime25",
        file="test.jsonl",
        grader="numeric",
        question=("problem",),
        answer=("answer",),
    ),
    "gpqa": StandardTask(
        description="198 multiple-choice questions of GPQA Diamond (accept its terms on the hub first)",
        version=3,
        repository="Idavidrein/gpqa",
        file="gpqa_diamond.csv",
        grader="choice",
        question=("Question",),
        answer=("Correct Answer",),
        choices=("Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3"),
        family="High-level domain",
    ),
    "mmlu-pro": StandardTask(
        description="12,032 multiple-choice questions of 14 subjects, with up to 10 options",
        version=1,
        repository="TIGER-Lab/MMLU-Pro",
        file="data/test-00000-of-00001.parquet",
        grader="choice",
        question=("question",),
        answer=("answer",),
        options="options",
        family="category",
    ),
    "arc-easy": StandardTask(
        description="2,376 science questions of grade school (ARC-Easy)",
        version=1,
        repository="allenai/ai2_arc",
        file="ARC-Easy/test-00000-of-00001.parquet",
        grader="choice",
        question=("question",),
        answer=("answerKey",),
        options="choices",
    ),
    "arc-challenge": StandardTask(
        description="1,172 harder science questions of grade school (ARC-Challenge)",
        version=1,
        repository="allenai/ai2_arc",
        file="ARC-Challenge/test-00000-of-00001.parquet",
        grader="choice",
        question=("question",),
        answer=("answerKey",),
        options="choices",
    ),
    "humaneval": StandardTask(
        description="164 Python functions to complete; runs code, with --run-code",
        version=1,
        repository="openai/openai_humaneval",
        file="openai_humaneval/test-00000-of-00001.parquet",
        grader="code",
        question=("prompt",),
        answer=("test",),
        worded=row_wording.function_to_complete,
        solved=row_wording.tests_of_function,
    ),
    "mbpp": StandardTask(
        description="257 short Python programs (MBPP, sanitized); runs code, with --run-code",
        version=1,
        repository="google-research-datasets/mbpp",
        file="sanitized/test-00000-of-00001.parquet",
        grader="code",
        question=("prompt", "text"),
        answer=("test_list",),
        worded=row_wording.described_function,
        solved=row_wording.listed_tests,
    ),
    "ifeval": StandardTask(
        description="541 prompts with instructions about the form of the reply (IFEval)",
        version=1,
        repository="google/IFEval",
        file="ifeval_input_data.jsonl",
        grader="format",
        question=("prompt",),
        answer=("instruction_id_list",),
        solved=row_wording.instructions,
    ),
}
"""Standard tasks by name."""
