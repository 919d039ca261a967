"""Problem sets of users: several golds, no golds, golds that cannot be read, conversations, choices."""

import json

import pytest

from localsmc.engine.settings import Settings
from localsmc.errors import ConfigError, TaskError
from localsmc.evals.problem_settings import refuse_lost_messages
from localsmc.evals.tasks import user_task
from localsmc.evals.tasks.golds import require_readable


def task_of(tmp_path, rows, name="a set.jsonl", **options):
    path = tmp_path / name
    text = rows if isinstance(rows, str) else "\n".join(map(json.dumps, rows))
    path.write_text(text, encoding="utf-8")
    return user_task(path, **options)


def golds(task):
    return [item.gold for item in task.items]


# --- gold answers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        (4, "4"),
        ("4", "4"),
        (["4", "four"], ("4", "four")),
        ({"answer": "3.14", "tolerance": 0.01}, '{"answer": "3.14", "tolerance": "0.01"}'),
        ({"answer": "3.14", "tolerance": None, "places": 1}, '{"answer": "3.14", "places": 1}'),
        (["4", 4, None, " "], "4"),
        ([], None),
        (None, None),
        ("", None),
        ("  ", None),
        ("NaN", None),
        ("null", None),
        ("N/A", "N/A"),  # may be the answer
        ("None", "None"),  # may be the answer
        ("[1, 2]", "[1, 2]"),  # an interval
        ("['4', 'four']", ("4", "four")),
        ('["4", "four"]', ("4", "four")),
        ("['4' 'four']", ("4", "four")),  # as NumPy writes it
        ("2 + 2 = <<2+2=4>>4\n#### 4", "4"),
        (r"So it is $\boxed{\frac{1}{2}}$.", r"\frac{1}{2}"),
    ],
)
def test_golds_as_files_have_them(tmp_path, answer, gold):
    assert golds(task_of(tmp_path, [{"question": "?", "answer": answer}])) == [gold]


def test_usual_names_count_in_any_case_and_the_exact_one_comes_first(tmp_path):
    task = task_of(tmp_path, "QUESTION;Answer\n1 + 1?;2\n", "x.csv")
    assert (task.items[0].question, task.items[0].gold) == ("1 + 1?", "2")
    task = task_of(tmp_path, [{"Question": "other", "question": "1 + 1?", "Gold": "2"}])
    assert (task.items[0].question, task.items[0].gold) == ("1 + 1?", "2")
    with pytest.raises(TaskError, match="has no field `QUESTION`"):
        task_of(tmp_path, [{"question": "1?"}], question="QUESTION")
    options = task_of(tmp_path, [{"Question": "?", "Options": ["x", "y"], "Answer": "B"}])
    assert (options.grader, options.items[0].gold) == ("choice", "B")


def test_columns_of_small_letters_are_options_only_if_the_answers_are_their_letters(tmp_path):
    letters = task_of(tmp_path, "question,a,b,c,answer\nq?,7,8,9,b\nr?,1,2,3,\n", "x.csv")
    assert letters.items[0].options == ("7", "8", "9")
    assert golds(letters) == ["B", None]
    numbers = task_of(tmp_path, "question,a,b,answer\na + b?,7,8,15\n", "x.csv")
    assert (numbers.grader, golds(numbers)) == ("math", ["15"])
    beyond = task_of(tmp_path, "question,a,b,answer\nq?,7,8,c\n", "x.csv")
    assert beyond.grader == "math"


def test_two_system_messages_in_a_row_are_refused(tmp_path):
    talk = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "1 + 1?"}]
    task = task_of(
        tmp_path, [{"messages": talk, "system": "Be brief. "}, {"messages": talk[1:], "system": "S"}]
    )
    assert [item.system for item in task.items] == ["Be brief.", "S"]
    with pytest.raises(TaskError, match="row 1 of .* has two system messages: in `messages` and in `system`"):
        task_of(tmp_path, [{"messages": talk, "system": "Be long."}])


def test_lists_in_cells_of_a_table_and_cells_without_gold(tmp_path):
    text = 'question;answer\n1?;"[""4"", ""four""]"\n2?;\n3?;#N/A\n4?;4,5\n'
    task = task_of(tmp_path, text, "x.csv")
    assert golds(task) == [("4", "four"), None, None, "4,5"]
    assert [item.row for item in task.without_gold] == [2, 3]


def test_a_row_without_the_field_has_no_gold_and_takes_none_from_another(tmp_path):
    rows = [{"question": "1?", "answer": "1"}, {"question": "2?", "target": "7"}]
    assert golds(task_of(tmp_path, rows)) == ["1", None]


def test_fields_inside_of_others(tmp_path):
    rows = [{"doc": {"q": "1?"}, "answers": {"text": ["1", "one"]}}]
    assert golds(task_of(tmp_path, rows, question="doc.q", answer="answers.text")) == [("1", "one")]
    with pytest.raises(TaskError, match="`answers` in row 1 of .* is an object") as caught:
        task_of(tmp_path, rows, question="doc.q")
    assert "`answers.text`" in caught.value.hint
    with pytest.raises(TaskError, match="is a list of lists"):
        task_of(tmp_path, [{"question": "1?", "answer": [["1"]]}])


@pytest.mark.parametrize(
    ("grader", "bad"),
    [("math", r"\frac{1"), ("numeric", "blue"), ("choice", "Paris"), ("exact", "$$")],
)
def test_golds_that_a_grader_cannot_read_are_named_with_their_rows(tmp_path, grader, bad):
    good = {"math": "\\sqrt{2}", "numeric": "2", "choice": "B", "exact": "blue"}[grader]
    rows = [{"question": f"{i}?", "answer": good} for i in range(3)]
    rows[1]["answer"] = [good, bad]
    task = task_of(tmp_path, rows, grader=grader)
    with pytest.raises(TaskError, match=f"the grader `{grader}` cannot read .* in row 2 \\(`") as caught:
        require_readable(task.items, grader, task.source)
    assert "--grader" in caught.value.hint
    require_readable((task.items[0], task.items[2]), grader, task.source)


def test_many_golds_that_cannot_be_read_are_counted(tmp_path):
    task = task_of(tmp_path, [{"question": f"{i}?", "answer": "blue"} for i in range(9)], grader="numeric")
    with pytest.raises(TaskError, match="in row 1 .*, row 2 .*, row 3 .* and 6 more$"):
        require_readable(task.items, "numeric", task.source)


def test_what_is_read_and_what_is_not_is_said(tmp_path):
    row = {"id": 7, "question": "Why?", "article": "Because.", "solution": "So."}
    assert task_of(tmp_path, [row]).reading == (
        "problems from `question`, gold answers none, grader math, not used: `article`, `solution`"
    )
    row = {
        "doc": {"q": "?"},
        "system": "Hi.",
        "A": "1",
        "B": "2",
        "target": "A",
        **{f"x{i}": i for i in range(9)},
    }
    assert task_of(tmp_path, [row], question="doc.q").reading == (
        "problems from `doc.q`, system messages from `system`, options from `A` to `B`, gold answers from"
        " `target`, grader choice, not used: `x0`, `x1`, `x2`, `x3`, `x4`, `x5`, 3 more"
    )


# --- conversations ----------------------------------------------------------------------------------

TALK = [
    {"role": "system", "content": "Be terse."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello."},
    {"role": "user", "content": " What is 7 * 6? "},
    {"role": "assistant", "content": "7 * 6 = 42. The answer is 42."},
]
SHARE = [{"from": "human", "value": "3 + 4?"}, {"from": "gpt", "value": "7"}]


def test_a_conversation_is_its_turns_before_the_reply(tmp_path):
    first, second = task_of(tmp_path, [{"messages": TALK}, {"messages": SHARE}]).items
    assert (first.system, first.question, first.gold) == ("Be terse.", "What is 7 * 6?", "42")
    assert first.earlier == tuple(TALK[1:3])
    assert (second.system, second.question, second.gold, second.earlier) == (None, "3 + 4?", "7", ())
    [last, _] = task_of(tmp_path, [{"messages": TALK}, {"messages": SHARE}], turns="last").items
    assert (last.system, last.question, last.earlier) == ("Be terse.", "What is 7 * 6?", ())


def test_a_conversation_without_a_stated_answer_has_no_gold_and_a_field_counts_first(tmp_path):
    talk = [TALK[1], TALK[2]]
    assert golds(task_of(tmp_path, [{"messages": talk}])) == [None]
    assert golds(task_of(tmp_path, [{"messages": TALK[:4]}])) == [None]
    assert golds(task_of(tmp_path, [{"messages": TALK, "answer": "forty-two"}])) == ["forty-two"]


def test_conversations_in_other_places_and_shapes(tmp_path):
    parts = [{"role": "user", "content": [{"type": "text", "text": "1 + "}, {"type": "text", "text": "1?"}]}]
    rows = [{"prompt": parts, "answer": "2"}]
    assert task_of(tmp_path, rows).items[0].question == "1 + 1?"
    rows = [{"prompt": parts, "completion": [{"role": "assistant", "content": "The answer is 2."}]}]
    assert golds(task_of(tmp_path, rows, answer="completion")) == ["2"]
    cell = json.dumps(SHARE).replace('"', '""')
    assert task_of(tmp_path, f'messages\n"{cell}"\n', "x.csv").items[0].question == "3 + 4?"
    assert task_of(tmp_path, [{"system_prompt": "Be kind.", "question": "1?"}]).items[0].system == "Be kind."


@pytest.mark.parametrize(
    ("turns", "message"),
    [
        ([TALK[2]], "has no turn of the user"),
        ([TALK[1], TALK[0]], "has a system message after the first turn"),
        ([TALK[1], TALK[2], TALK[2]], "has 2 turns after the user's last one"),
        ([TALK[1], {"role": "tool", "content": "4"}], "has a turn of `tool`"),
        ([{"role": "user", "content": [{"type": "image"}]}], "has a turn that is no text"),
        ([{"role": "user", "content": None}], "has a turn that is no text"),
        ([{"role": "user", "content": " "}], "has an empty last turn of the user"),
    ],
)
def test_conversations_that_are_no_problems(tmp_path, turns, message):
    with pytest.raises(TaskError, match=f"`messages` in row 2 of .* {message}"):
        task_of(tmp_path, [{"messages": SHARE}, {"messages": turns}])


def test_settings_that_would_lose_messages_are_refused(tmp_path):
    task = task_of(tmp_path, [{"messages": TALK}])
    with pytest.raises(ConfigError, match="messages before the question \\(row 1\\), and `raw`"):
        refuse_lost_messages(task, Settings(raw=True))
    with pytest.raises(ConfigError, match="system messages of its own"):
        refuse_lost_messages(task, Settings(system="Be long."))
    plain = task_of(tmp_path, [{"question": "1?"}])
    refuse_lost_messages(plain, Settings(raw=True))
    with pytest.raises(ConfigError, match="are no conversations, so `--turns`"):
        task_of(tmp_path, [{"question": "1?"}], turns="last")


# --- choices ----------------------------------------------------------------------------------------

CITIES = ["Rome", "Paris", "Oslo", "Bonn"]


def choice_row(answer, **fields):
    return {"question": "Capital of France?", "choices": CITIES, "answer": answer} | fields


@pytest.mark.parametrize("answer", ["B", "b", "(B)", "B.", "B) Paris", "Paris", "paris", 1])
def test_golds_of_choices(tmp_path, answer):
    other = {"Paris": "Bonn", "paris": "Bonn", 1: 0}.get(answer, "D")
    task = task_of(tmp_path, [choice_row(answer), choice_row(other)])
    assert (golds(task)[0], task.grader) == ("B", "choice")
    assert task.items[0].options == tuple(CITIES)
    assert task.items[0].question == (
        "Capital of France?\n\nA) Rome\nB) Paris\nC) Oslo\nD) Bonn\n\nAnswer with the letter of one option."
    )


def test_positions_are_from_1_if_one_shows_it(tmp_path):
    assert golds(task_of(tmp_path, [choice_row(4), choice_row(2)])) == ["D", "B"]
    assert golds(task_of(tmp_path, [choice_row(0), choice_row(2)])) == ["A", "C"]
    with pytest.raises(
        TaskError, match="can be positions from 0 or positions from 1 of the options"
    ) as caught:
        task_of(tmp_path, [choice_row(1), choice_row(2)])
    assert "write the letters" in caught.value.hint


def test_a_number_that_is_a_text_and_a_position_is_refused(tmp_path):
    rows = [choice_row("2", choices=["1", "2", "3"]), choice_row("1", choices=["1", "2", "3"])]
    with pytest.raises(TaskError, match="can be texts or positions from 0 or positions from 1"):
        task_of(tmp_path, rows)


@pytest.mark.parametrize(
    "fields",
    [
        {"choices": {"text": CITIES, "label": ["A", "B", "C", "D"]}, "answerKey": "B"},
        {"choices": {"text": CITIES, "label": ["1", "2", "3", "4"]}, "answerKey": "2"},
        {"options": dict(zip("ABCD", CITIES, strict=True)), "answer": "B"},
        {"options": json.dumps(CITIES), "answer": "B"},
        {"options": str(CITIES), "answer": "B"},
        {**dict(zip("ABCD", CITIES, strict=True)), "answer": "B"},
        {**{f"option_{c}": city for c, city in zip("abcd", CITIES, strict=True)}, "answer": "b"},
        {**{f"option{i}": city for i, city in enumerate(CITIES, 1)}, "answer": "2"},
        {**{f"op{c}": city for c, city in zip("abcd", CITIES, strict=True)}, "answer": "Paris"},
        {"options": CITIES, "answer": ["B", "B"]},
    ],
)
def test_options_as_sets_have_them(tmp_path, fields):
    [item] = task_of(tmp_path, [{"question": "Capital of France?"} | fields]).items
    assert (item.options, item.gold) == (tuple(CITIES), "B")


def test_options_that_are_named_or_none(tmp_path):
    rows = [{"question": "?", "x": "1", "y": "2", "answer": "A"}]
    assert task_of(tmp_path, rows, choices="x,y").items[0].options == ("1", "2")
    task = task_of(tmp_path, [choice_row("4", question="?\n(1) Rome ...")], choices="none")
    assert (task.items[0].question, task.grader) == ("?\n(1) Rome ...", "math")


def test_a_question_with_fewer_options_and_one_without_gold(tmp_path):
    text = "question,A,B,C,D,answer\n1?,x,y,,,B\n2?,x,y,z,w,\n3?,x,y,z,w,C\n"
    task = task_of(tmp_path, text, "x.csv")
    assert [len(item.options) for item in task.items] == [2, 4, 4]
    assert golds(task) == ["B", None, "C"]


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([choice_row("A"), choice_row("E")], {}, "the gold answer `E` in row 2 of .* is none of the options"),
        ([choice_row("A"), choice_row("Paris")], {}, "are now letters, now positions or texts"),
        ([choice_row("A", choices=["1", "", "3"])], {}, "has an empty option"),
        ([choice_row("A", choices=["1"])], {}, "has 1 option$"),
        ([choice_row("A", choices=list("abcdefghijk"))], {}, "has 11 options$"),
        ([choice_row("A")], {"choices": "wrong"}, "row 1 of .* has no field `wrong`"),
        ([choice_row("A")], {"choices": "question"}, "is no list of options"),
    ],
)
def test_choices_that_cannot_be(tmp_path, rows, options, message):
    with pytest.raises(TaskError, match=message):
        task_of(tmp_path, rows, **options)


def test_options_and_another_grader_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="so their answers are letters"):
        task_of(tmp_path, [choice_row("B")], grader="numeric")
