"""Problems from a user's file: which fields hold what, and rows as problems.

A field is chosen once for the whole file: the first of its usual names that any row has, in any case. So no
row gets its gold answer from another field than the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from localsmc.engine.example_file import ANSWER_FIELDS, QUESTION_FIELDS
from localsmc.errors import ConfigError, TaskError
from localsmc.evals.grading import GRADERS
from localsmc.evals.tasks.choices import NONE, ChoiceFields, Options, lettered_question, letters_of
from localsmc.evals.tasks.conversations import CHAT_FIELDS, Conversation, Turns, conversation, turns_in
from localsmc.evals.tasks.golds import gold_of, whole_gold_of
from localsmc.evals.tasks.problem_rows import ID_FIELDS, groups, identifier, named_apart
from localsmc.evals.tasks.task import Gold, Item, Task
from localsmc.system.row_files import (
    MISSING,
    Row,
    is_missing,
    missing_field,
    read_rows,
    text_of,
    usual_name,
    value_of,
)
from localsmc.text import answers

GOLD_FIELDS = (
    *ANSWER_FIELDS, "answers", "golds", "targets", "answerKey", "expected_answer", "correct_answer",
    "final_answer", "ground_truth", "expected", "reference",
)  # fmt: skip
_MOST_NAMED = 6
"""Fields that are named in a sentence."""

SYSTEM_FIELDS = ("system", "system_prompt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the rows of a file are read: its fields, and which turns of conversations count.

    None for a name means the usual ones; for `choices`, `none` means that there are none. `turns` of None is
    "all", and may only be given if there are conversations.
    """

    question: str | None = None
    answer: str | None = None
    choices: str | None = None
    turns: Turns | None = None
    grader: str | None = None


def user_task(
    data: Path,
    *,
    question: str | None = None,
    answer: str | None = None,
    grader: str | None = None,
    choices: str | None = None,
    turns: Turns | None = None,
) -> Task:
    """Load problems from a user's file; those without answers are not graded. Raises TaskError, ConfigError.

    `grader` of None is `choice` for rows with options, and `math` for others.
    """
    reading = Reading(question=question, answer=answer, choices=choices, turns=turns, grader=grader)
    rows = _Rows(read_rows(data), data, reading)
    return Task(
        name=data.with_suffix("").stem if data.suffix.lower() == ".gz" else data.stem,
        version=4,
        source=str(data),
        grader=rows.grader,
        items=named_apart(rows.items()),
        reading=rows.described(),
    )


@dataclass(slots=True)
class _Rows:
    """The rows of a file, and the fields that they are read from."""

    rows: Sequence[Row]
    path: Path
    reading: Reading
    names: list[str] = field(init=False)
    question: str = field(init=False)
    answer: str | None = field(init=False)
    system: str | None = field(init=False)
    choices: ChoiceFields | None = field(init=False)
    grader: str = field(init=False)

    def __post_init__(self) -> None:
        self.names = list(dict.fromkeys(str(name) for row in self.rows for name in row))
        self.question = self._field(self.reading.question, (*QUESTION_FIELDS, *CHAT_FIELDS), "question") or ""
        self.answer = self._field(self.reading.answer, GOLD_FIELDS, "answer")
        self.system = usual_name(SYSTEM_FIELDS, self.names)
        self.choices = self._choices()
        if self.choices is not None and self.reading.grader not in (None, "choice"):
            raise ConfigError(
                f"the rows of `{self.path}` have options, so their answers are letters",
                hint="remove `--grader`, or add `--choices none` to leave the options out",
            )
        self.grader = self.reading.grader or ("math" if self.choices is None else "choice")

    def _has(self, name: str) -> bool:
        return any(value_of(row, name) is not MISSING for row in self.rows)

    def _field(self, given: str | None, usual: Sequence[str], what: str) -> str | None:
        if given is None:
            found = usual_name(usual, self.names)
        else:
            usual, found = (given,), given if self._has(given) else None
        if found is None and (given is not None or what == "question"):
            raise missing_field(self.rows, usual, 0, self.path, what)
        return found

    def _choices(self) -> ChoiceFields | None:
        given = self.reading.choices
        if given == NONE:
            return None
        if given is not None:
            return ChoiceFields.named(given, self.names)
        others = [name for name in self.names if name != self.answer]
        found = ChoiceFields.found(others, self.rows) or ChoiceFields.of_small_letters(
            others, self._written()
        )
        return None if found is None or self.question in found.names else found

    def _written(self) -> list[str]:
        """The gold answers as the rows have them."""
        values = [value_of(row, self.answer) for row in self.rows] if self.answer else []
        return [str(value).strip() for value in values if not is_missing(value)]

    # --- problems ---

    def items(self) -> list[Item]:
        """The problems of all rows."""
        talks = [self._conversation(row, i) for i, row in enumerate(self.rows)]
        if self.reading.turns is not None and all(talk is None for talk in talks):
            raise ConfigError(
                f"the rows of `{self.path}` are no conversations, so `--turns` has no effect",
                hint="remove it",
            )
        pairs = list(zip(self.rows, talks, strict=True))
        golds = [self._gold(row, i, talk) for i, (row, talk) in enumerate(pairs)]
        items = [self._item(row, i, talk, golds[i]) for i, (row, talk) in enumerate(pairs)]
        return items if self.choices is None else self._with_options(items, self.choices)

    def _conversation(self, row: Row, i: int) -> Conversation | None:
        turns = turns_in(value_of(row, self.question))
        if turns is None:
            return None
        return conversation(turns, i, self.path, self.question, self.reading.turns or "all")

    def _item(self, row: Row, i: int, talk: Conversation | None, gold: Gold | None) -> Item:
        question = self._text(row, i) if talk is None else talk.question
        family, level = groups(row)
        return Item(
            problem_id=identifier(row, i),
            question=question,
            gold=gold,
            family=family,
            level=level,
            system=self._system(row, i, talk),
            earlier=() if talk is None else talk.earlier,
            row=i + 1,
        )

    def _text(self, row: Row, i: int) -> str:
        value = value_of(row, self.question)
        if value is MISSING:
            raise missing_field([row], (self.question,), i, self.path, "question")
        text = text_of(value, i, self.path, self.question).strip()
        if not text:
            raise TaskError(
                f"row {i + 1} of `{self.path}` has an empty question", hint="fix or remove the row"
            )
        return text

    def _system(self, row: Row, i: int, talk: Conversation | None) -> str | None:
        own = None if talk is None else talk.system
        value = MISSING if self.system is None else value_of(row, self.system)
        if is_missing(value):
            return own
        text = text_of(value, i, self.path, self.system or "")
        if own is not None and own.strip() != text.strip():
            raise TaskError(
                f"row {i + 1} of `{self.path}` has two system messages: in `{self.question}` and in"
                f" `{self.system}`",
                hint="remove one of them",
            )
        return text if own is None else own

    def _gold(self, row: Row, i: int, talk: Conversation | None) -> Gold | None:
        if self.answer is None:
            if GRADERS[self.grader].kind == "reply":
                return None  # a reply is no test
            return None if talk is None or talk.reply is None else self._stated(talk.reply)
        value = value_of(row, self.answer)
        if GRADERS[self.grader].kind == "reply":
            return whole_gold_of(value, i, self.path, self.answer)
        turns = turns_in(value)
        if turns is not None:
            return self._stated(str(turns[-1].get("content", turns[-1].get("value", ""))))
        return gold_of(value, i, self.path, self.answer)

    def _stated(self, reply: str) -> Gold | None:
        """The answer that the reply of a conversation states, if it does."""
        kind = "letter" if self.choices is not None else GRADERS[self.grader].kind
        found = answers.find(reply, kind, with_fallback=False)
        return None if found is None else found.text

    def _with_options(self, items: list[Item], choices: ChoiceFields) -> list[Item]:
        options = [choices.of(row, i, self.path) for i, row in enumerate(self.rows)]
        letters = letters_of([(i, options[i], item.gold) for i, item in enumerate(items)], self.path)
        return [_with_options(*parts) for parts in zip(items, options, letters, strict=True)]

    def described(self) -> str:
        """From which fields the rows are read, for a person to check."""
        parts = [f"problems from `{self.question}`"]
        if self.system is not None:
            parts.append(f"system messages from `{self.system}`")
        if self.choices is not None:
            names = self.choices.names
            shown = f"`{names[0]}`" if len(names) == 1 else f"`{names[0]}` to `{names[-1]}`"
            parts.append(f"options from {shown}")
        is_chat = self.answer is None and any(turns_in(value_of(row, self.question)) for row in self.rows)
        source = f"from `{self.answer}`" if self.answer else "from the replies" if is_chat else "none"
        parts += [f"gold answers {source}", f"grader {self.grader}"]
        return ", ".join([*parts, f"not used: {unused}"] if (unused := self._unused()) else parts)

    def _unused(self) -> str:
        """The names of the fields that nothing is read from: a passage that a question needs may be there."""
        read = (
            self.question,
            self.answer or "",
            self.system or "",
            *(self.choices.names if self.choices else ()),
        )
        known = {*read, *(name.partition(".")[0] for name in read), *ID_FIELDS, "family", "level"}
        names = [f"`{name}`" for name in self.names if name not in known]
        more = [f"{len(names) - _MOST_NAMED} more"] if len(names) > _MOST_NAMED else []
        return ", ".join([*names[:_MOST_NAMED], *more])


def _with_options(item: Item, options: Options, gold: Gold | None) -> Item:
    question = lettered_question(item.question, options.texts)
    return replace(item, question=question, gold=gold, options=options.texts)
