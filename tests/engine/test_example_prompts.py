"""Examples in prompts, files of them, and what the prompts of all problems begin with."""

import json
from dataclasses import replace

import numpy as np
import pytest

from localsmc.engine.beginnings import LEAST_SHARED, beginning, beginnings
from localsmc.engine.conversation import Conversation
from localsmc.engine.example_file import read_examples
from localsmc.engine.prompting import ModelPrompts, build_prompt, stop_strings
from localsmc.engine.settings import Settings
from localsmc.engine.solve import solve, start
from localsmc.errors import ConfigError, PromptTooLong, TaskError
from localsmc.methods import DraftSMC, Greedy, Speculative
from localsmc.store.model_source import ModelDefaults
from localsmc.text.chat_template import ChatTemplate
from localsmc.text.examples import STOPS, Examples, Pair
from localsmc.text.instructions import BOXED

PAIRS = (
    Pair("Mia has 3 apples and picks 4. How many has she?", "She has 3 + 4 = 7 apples. The answer is 7."),
    Pair("Of 15 birds 6 flew away. How many are left?", "There are 15 - 6 = 9 left. The answer is 9."),
)
SHOWN = Settings(examples=Examples(pairs=PAIRS))
PLAIN = "".join(f"Question: {pair.question}\nAnswer: {pair.answer}\n\n" for pair in PAIRS)
ODD = ("x", "  x", "\nx", "é", "漢字", "Question: 1", "<|im_end|>", "7", "user\n", "A" * 50)


# --- prompts ----------------------------------------------------------------------------------------


def test_with_a_template_examples_are_turns_and_no_instruction_follows(embedded):
    text = build_prompt(embedded, "3?", SHOWN).text
    assert text.count("user\n") == text.count("assistant\n") == 3
    assert text.index(PAIRS[0].answer) < text.index(PAIRS[1].question) < text.index("3?")
    assert "boxed" not in text
    assert stop_strings(embedded, SHOWN) == ()


@pytest.mark.parametrize("is_raw", [True, False])
def test_without_a_template_they_have_the_plain_form(embedded, monkeypatch, is_raw):
    if not is_raw:
        monkeypatch.setattr(embedded.llama, "chat_template", None)
    settings = replace(SHOWN, raw=is_raw, stop=("!",))
    assert build_prompt(embedded, "3?", settings).text == f"{PLAIN}Question: 3?\nAnswer:"
    assert stop_strings(embedded, settings) == ("!", *STOPS)
    with start(embedded, "3?", method=Greedy(), settings=replace(settings, n_predict=4)) as solving:
        assert solving.stop.strings == ("!", *STOPS)
        assert solving.result().method.config["stop"] == ["!", *STOPS]


def test_box_on_adds_the_instruction_without_a_template_too(embedded, monkeypatch):
    monkeypatch.setattr(embedded.llama, "chat_template", None)
    monkeypatch.setattr(embedded, "source", replace(embedded.source, defaults=ModelDefaults()))
    prompt = build_prompt(embedded, "3?", replace(SHOWN, box="on"))
    assert prompt.text == f"{PLAIN}Question: 3?\n\n{BOXED}\nAnswer:"
    assert prompt.instruction == BOXED


@pytest.mark.parametrize("is_raw", [True, False])
def test_a_text_is_put_before_the_problem_as_it_stands(embedded, monkeypatch, is_raw):
    if not is_raw:
        monkeypatch.setattr(embedded.llama, "chat_template", None)
    settings = Settings(examples=Examples(text="  Page 1\n\tcosts 3."), raw=is_raw)
    assert build_prompt(embedded, "3?", settings).text == "  Page 1\n\tcosts 3.\n\n3?"
    assert stop_strings(embedded, settings) == ()


def test_a_base_model_reads_the_system_message_first(embedded, monkeypatch):
    monkeypatch.setattr(embedded.llama, "chat_template", None)
    text = build_prompt(embedded, "3?", replace(SHOWN, system="Be brief.")).text
    assert text == f"Be brief.\n\n{PLAIN}Question: 3?\nAnswer:"


def test_other_requests_of_a_method_have_no_examples(embedded):
    prompts = ModelPrompts(embedded, "3?", SHOWN)
    assert PAIRS[0].question not in prompts.text(prompts.request("Choose."))
    assert PAIRS[0].question in prompts.text(prompts.prompt("3?"))


def test_a_conversation_begins_with_them(embedded):
    settings = replace(SHOWN, n_predict=8, seed=1)
    with Conversation(embedded) as conversation:
        for text in ("What is 2 + 2?", "And 3 more?"):
            with conversation.ask(text, method=Greedy(), settings=settings) as solving:
                for _ in solving:
                    pass
                conversation.keep(solving, solving.result())
        shown = solving.prompt_text
        assert solving.result().usage.cached_tokens > len(beginning(embedded, settings))
    order = [PAIRS[0].question, PAIRS[1].answer, "What is 2 + 2?", "And 3 more?"]
    assert sorted(order, key=shown.index) == order


def test_a_conversation_without_a_template_goes_on_in_the_plain_form(embedded, monkeypatch):
    monkeypatch.setattr(embedded.llama, "chat_template", None)
    earlier = ({"role": "user", "content": "1?"}, {"role": "assistant", "content": " It is 1."})
    text = build_prompt(embedded, "3?", replace(SHOWN, earlier=earlier)).text
    assert text == f"{PLAIN}Question: 1?\nAnswer: It is 1.\n\nQuestion: 3?\nAnswer:"


def test_examples_longer_than_the_context_are_refused_with_numbers(embedded):
    with pytest.raises(PromptTooLong, match=r"the prompt has \d+ tokens, but the context holds 64") as caught:
        solve(embedded, "3?", method=Greedy(), settings=replace(SHOWN, n_ctx=64))
    assert caught.value.hint.startswith("use fewer or shorter examples")


# --- what all prompts begin with --------------------------------------------------------------------

NO_CONTROL_TOKEN = "{% for m in messages %}## {{ m.role }}\n{{ m.content }}\n{% endfor %}## assistant\n"
REWRITES = "{% if messages[-1].content == '7' %}Seven.{% endif %}" + NO_CONTROL_TOKEN
SETTINGS = {
    "turns": SHOWN,
    "plain": replace(SHOWN, raw=True),
    "a text": Settings(examples=Examples(text="Work it out, and end with the number. " * 3)),
    "a text, raw": Settings(examples=Examples(text="Work it out, and end with the number. " * 3), raw=True),
    "a long system message": Settings(system="Work it out, and end with the number. " * 3),
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("template", [None, NO_CONTROL_TOKEN])
def test_every_prompt_has_the_beginning_and_no_problem_changes_it(embedded, monkeypatch, settings, template):
    if template is not None:
        monkeypatch.setattr(embedded.llama, "chat_template", ChatTemplate(template))
    shared = beginning(embedded, settings)
    last = settings.system or settings.examples.text or PAIRS[-1].answer
    assert last.rstrip()[:-1] in embedded.llama.text(shared).decode()
    for problem in ODD:
        prompt = build_prompt(embedded, problem, settings)
        assert np.array_equal(prompt.tokens[: len(shared)], shared), problem
        assert len(prompt.tokens) > len(shared)


def test_a_short_beginning_is_not_worth_a_batch(embedded):
    assert len(beginning(embedded, Settings())) == 0
    assert len(beginning(embedded, Settings(raw=True))) == 0
    assert len(beginning(embedded, Settings(system="Work it out, and end with the number."))) >= LEAST_SHARED


def test_a_problem_that_the_template_rewrites_shares_nothing(embedded, monkeypatch):
    whole = {name: beginning(embedded, SHOWN).tolist() for name in ("before",)}
    monkeypatch.setattr(embedded.llama, "chat_template", ChatTemplate(REWRITES))
    # One of the probes is rewritten, so that nothing is known to be shared.
    assert beginning(embedded, SHOWN).tolist() == []
    assert whole["before"]


@pytest.mark.parametrize("method", [Speculative(), DraftSMC()])
def test_a_draft_model_has_a_beginning_of_its_own(embedded, method):
    draft = embedded.require_draft()
    shared = beginnings(embedded, method, SHOWN)
    with start(embedded, "3?", method=method, settings=replace(SHOWN, n_predict=4)) as solving:
        assert np.array_equal(solving.prompt[: len(shared.of_model)], shared.of_model)
        request = solving.run._request.draft
        assert np.array_equal(request.prompt[: len(shared.of_draft)], shared.of_draft)
    assert beginnings(embedded, Greedy(), SHOWN).of_draft is None
    assert draft.llama.n_vocab > shared.of_draft.max()


# --- files ------------------------------------------------------------------------------------------


def written(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("names", [("question", "answer"), ("problem", "gold"), ("prompt", "target")])
def test_rows_of_every_format_are_pairs(tmp_path, names):
    row = dict(zip(names, (" 1 + 1? ", "2 #### 2\n"), strict=True))
    files = {
        "a b.jsonl": json.dumps(row) + "\n\n",
        "a.json": json.dumps({"data": [row]}),
        "a.csv": f'{names[0]},{names[1]}\n 1 + 1? ,"2 #### 2\n"\n',
        "a.JSONL": json.dumps(row),
    }
    for name, content in files.items():
        path = written(tmp_path, name, content)
        assert read_examples(path).pairs == read_examples(str(path)).pairs == (("1 + 1?", "2 #### 2"),)


def test_a_number_is_shown_as_it_stands(tmp_path):
    path = written(tmp_path, "a.jsonl", '{"question": "1 + 1?", "answer": 2}')
    assert read_examples(path).pairs == (("1 + 1?", "2"),)


@pytest.mark.parametrize("name", ["notes.txt", "notes.md", "notes"])
def test_any_other_file_is_a_text(tmp_path, name):
    path = written(tmp_path, name, "\ufeff  Q: 1 + 1?\r\nA: 2\r\n\n")
    assert read_examples(path) == Examples(text="  Q: 1 + 1?\r\nA: 2")


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("a.txt", "\n  \n", ConfigError, "is empty"),
        ("a.txt", b"\xff\xfe", ConfigError, "is not UTF-8 text"),
        ("a.txt", "a\0b", ConfigError, "is not text"),
        ("a.jsonl", "", TaskError, "has no rows"),
        ("a.jsonl", '{"q": "x", "answer": "y"}', TaskError, "row 1 .* has no field `question`"),
        ("a.jsonl", '{"question": "x", "a": "y"}', TaskError, "row 1 .* has no field `answer`"),
        ("a.jsonl", '{"question": "x", "answer": null}', TaskError, "row 1 .* has an empty answer"),
        ("a.jsonl", '{"question": " ", "answer": "y"}', TaskError, "row 1 .* has an empty question"),
        ("a.jsonl", '{"question": "x", "answer": "\\ud800"}', TaskError, "has a lone surrogate"),
        ("a.jsonl", '{"question": "x", "answer": ["a", "b"]}', TaskError, "`answer` in row 1 .* is a list"),
        ("a.jsonl", '{"question": {"x": 1}, "answer": "y"}', TaskError, "`question` in row 1 .* object"),
        ("a.jsonl", "Q: 1 + 1?", TaskError, "is not JSON"),
        ("a.json", "[1]", TaskError, "is not a JSON object"),
        ("a.csv", "question,answer\nx\n", TaskError, "does not have the 2 fields"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path, name, content, error, message):
    with pytest.raises(error, match=message) as caught:
        read_examples(written(tmp_path, name, content))
    assert caught.value.hint


@pytest.mark.parametrize("name", ["none.txt", "none.jsonl", "", "a\0b"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path, name):
    with pytest.raises((ConfigError, TaskError), match="cannot be read|no file at|is empty|is a folder"):
        read_examples(tmp_path / name)
