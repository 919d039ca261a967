"""Marks that are control tokens: completions are read, stopped and concluded by them."""

from typing import NamedTuple

import numpy as np
import pytest
import tiny_gguf

import localsmc
from localsmc.engine.completion_reader import CompletionReader
from localsmc.engine.reply_form import ReplyForm
from localsmc.engine.settings import Settings
from localsmc.text.thought_marks import THOUGHT

ENDS = ("<|im_end|>", "<|other_end|>")


class Family(NamedTuple):
    """The control tokens of a model, the end of its prompt, and what is around its thought and its reply."""

    controls: tuple[str, ...]
    prompt: str
    before: str
    between: str
    after: str = ""
    completing: str = ""
    """What ends a thought that is open."""


HARMONY = Family(
    ("<|return|>", "<|call|>", "<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|constrain|>"),
    "<|start|>assistant", "<|channel|>analysis<|message|>",
    "<|end|><|start|>assistant<|channel|>final<|message|>",
)  # fmt: skip
FAMILIES = {
    "gpt-oss": HARMONY,
    "solar": Family(
        ("<|flush|>", "<|calls|>", "<|begin|>", "<|think|>", "<|content|>", "<|end|>"),
        "<|begin|>assistant", "<|think|>", "<|end|><|begin|>assistant<|content|>",
    ),
    "qwen": Family((*ENDS, "<think>", "</think>"), "assistant\n", "<think>", "</think>"),
    "qwen, opened": Family((*ENDS, "<think>", "</think>"), "assistant\n<think>\n", "", "</think>"),
    "magistral": Family((*ENDS, "[THINK]", "[/THINK]"), "[/INST]", "[THINK]", "[/THINK]"),
    "command-r7b": Family(
        (*ENDS, "<|START_THINKING|>", "<|END_THINKING|>", "<|START_RESPONSE|>", "<|END_RESPONSE|>"),
        "<|START_THINKING|>", "", "<|END_THINKING|><|START_RESPONSE|>", "<|END_RESPONSE|>",
    ),
    "seed": Family((*ENDS, "<seed:think>", "</seed:think>"), "\n", "<seed:think>", "</seed:think>"),
    "gemma-4": Family((*ENDS, "<|channel>", "<channel|>"), "\n", "<|channel>thought\n", "<channel|>"),
    "muse": Family(
        (*ENDS, "<|start|>", "<|message|>", "<|eom|>"), "<|start|>assistant", " to=self<|message|>",
        "<|eom|><|start|>assistant to=user<|message|>",
    ),
}  # fmt: skip
WORK, REPLY = "So \\boxed{3}?", "It is \\boxed{4}."


@pytest.fixture(scope="module", params=FAMILIES)
def opened(request, tmp_path_factory):
    family = FAMILIES[request.param]
    path = tiny_gguf.write_llama(tmp_path_factory.mktemp("gguf") / "tiny.gguf", controls=family.controls)
    with localsmc.load(path) as model:
        yield family, model


def reader(family, model, stops=(), *, at_box=False):
    prompt = model.llama.tokenize("hello " + family.prompt, special=True)
    form = ReplyForm.of(model.llama, prompt, stops)
    return CompletionReader(model, Settings(stop=stops), form.stop_rule(stops, at_box=at_box), form, "any")


def tokens(model, text):
    return model.llama.tokenize(text, special=True)


def test_a_whole_reply(opened):
    family, model = opened
    whole = tokens(model, family.before + WORK + family.between + REPLY + family.after)
    text, answer, _ = reader(family, model).read(whole)
    assert text == f"<think>\n{WORK}\n</think>\n\n{REPLY}"
    assert answer.text == "4"


def test_a_cut_thought_has_no_answer(opened):
    family, model = opened
    read = reader(family, model).read(tokens(model, family.before + WORK))
    assert read == (f"<think>\n{WORK}", None, False)


def test_text_that_looks_like_control_tokens_is_text(opened):
    family, model = opened
    alike = "".join(family.controls)
    # Letter by letter: llama.cpp makes some of gpt-oss' tokens ones that any text is parsed for.
    letters = [model.llama.tokenize(letter, special=False) for letter in f"{alike}\\boxed{{5}}"]
    said = np.concatenate(letters)
    whole = np.concatenate([tokens(model, family.before + WORK + family.between), said])
    text, answer, _ = reader(family, model).read(whole)
    assert f"{alike}\\boxed{{5}}" in text
    assert text.startswith(("<think>", "<thinking>"))
    parts = reader(family, model).parts(whole)
    assert [part.is_thought for part in parts] == [True, False]
    assert parts[1].text == f"\n\n{alike}\\boxed{{5}}"
    assert answer.text == "5"


def test_no_condition_stops_a_thought(opened):
    family, model = opened
    stops = ("boxed",)
    rule = reader(family, model, stops, at_box=True)._stop
    state = rule.start()
    for token in tokens(model, family.before + WORK + family.between).tolist():
        state = rule.advance(state, token)
        assert not state.hit
    for token in tokens(model, REPLY).tolist():
        state = rule.advance(state, token)
    assert state.hit
    whole = tokens(model, family.before + WORK + family.between + REPLY)
    assert reader(family, model, stops).read(whole).text == f"<think>\n{WORK}\n</think>\n\nIt is \\"


def test_a_conclusion_closes_the_thought_with_its_own_tokens(opened):
    family, model = opened
    cut = tokens(model, family.before + WORK)
    asked = reader(family, model).request(cut)
    between = family.between.removesuffix("\n")
    expected = tokens(model, family.before + WORK + between + "\n\nFinal answer: \\boxed{")
    assert asked.tolist() == expected.tolist()


def test_a_stop_string_names_a_control_token(opened):
    """It stops at that token, alone or at the end of a text; alone within a thought as well."""
    family, model = opened
    for name in family.controls:
        for stop, text in ((name, "so "), (f"x{name}", "so ")):
            said = f"so {stop}" + ("" if name in family.controls[:2] else " more")
            whole = tokens(model, family.before + WORK + family.between + said)
            if stop == name and name in family.before + family.between:
                continue
            found = reader(family, model, (stop,)).read(whole).text
            assert found == f"<think>\n{WORK}\n</think>\n\n{text}", (name, stop)
    end = family.controls[0]
    rule = reader(family, model, (end,))._stop
    state = rule.start()
    for token in tokens(model, family.before + "a").tolist():
        state = rule.advance(state, token)
    assert rule.advance(state, int(tokens(model, end)[0])).hit


def test_a_run_stops_at_the_first_named_token(tmp_path):
    """A run whose stop string is the token that begins each reply of a form writes nothing."""
    path = tiny_gguf.write_llama(tmp_path / "tiny.gguf", controls=HARMONY.controls)
    with localsmc.load(path) as model:
        read = reader(HARMONY, model, ("<|channel|>",))
        state = read._stop.advance(read._stop.start(), int(tokens(model, "<|channel|>")[0]))
        assert state.hit
        assert read.read(tokens(model, "<|channel|>"))[0] == ""


@pytest.mark.parametrize("method", ["greedy", "sample", "power-smc", "power-mh"])
def test_watching_thought_changes_no_run(tmp_path, method):
    """With a stop rule that never applies, the tokens are those without one."""
    path = tiny_gguf.write_llama(tmp_path / "tiny.gguf", controls=HARMONY.controls)
    with localsmc.load(path) as model:
        texts = []
        for stop in ((), ("never there",)):
            settings = localsmc.Settings(seed=1, n_predict=24, n_threads=1, stop=stop, raw=True)
            result = localsmc.solve(model, "hello", method=model.method(method), settings=settings)
            texts.append([(one.text, one.logp) for one in result.completions])
        assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("prompt", "is_open"),
    [
        ("<|im_start|>assistant\n<think>\nI will put \\boxed{41} here. ", True),
        ("<|im_start|>assistant\n<think>\nI see.</think>\nSo ", False),
        ("<|im_start|>user\nWhat is <think>?<|im_end|>\n<|im_start|>assistant\n", False),
        ("What is <think>? ", False),
    ],
)
@pytest.mark.parametrize("stops", [(), ("<|im_start|>",)])
def test_words_may_follow_the_mark_with_which_the_prompt_opens_a_thought(prompt, is_open, stops, tmp_path):
    path = tiny_gguf.write_llama(tmp_path / "tiny.gguf", controls=(*ENDS, "<|im_start|>"))
    with localsmc.load(path) as model:
        form = ReplyForm.of(model.llama, model.llama.tokenize(prompt, special=True), stops)
    assert (form.begin.kind == THOUGHT) is is_open
    assert form.closing == ("</think>" if is_open else "")


@pytest.mark.parametrize(
    "prompt",
    [
        "<s>[INST] What does <think> mean? [/INST]",
        "<s>[INST] a [/INST] b</s>[INST] What does <think> mean? [/INST]",
        "<s>USER: What does <think> mean? ASSISTANT:",
        "<s>The tag <think> is",
    ],
)
def test_what_the_user_says_opens_no_thought_where_roles_are_words(prompt, tmp_path):
    path = tiny_gguf.write_llama(tmp_path / "tiny.gguf", sentencepiece=True)
    with localsmc.load(path) as model:
        form = ReplyForm.of(model.llama, model.llama.tokenize(prompt, special=True), ())
    assert form.begin.kind != THOUGHT
