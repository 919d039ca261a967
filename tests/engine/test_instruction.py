"""Which instruction a problem gets, and the prompt that a base model gets."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from tiny_gguf import write_llama

import localsmc
from localsmc import Settings
from localsmc.engine.instruction import expects_answer, instruction_of, settings_of_task
from localsmc.engine.prompting import ModelPrompts, build_prompt
from localsmc.errors import ConfigError
from localsmc.text.instructions import BOXED, NEUTRAL

PROBLEM, PROSE = "What is 2 + 2?", "Write a poem."
LINE = 'root ::= "x"'


@pytest.fixture
def base(random_llama):
    with localsmc.load(random_llama) as model:
        yield model


@pytest.mark.parametrize(
    ("settings", "problem", "expected"),
    [
        ({}, PROBLEM, NEUTRAL),
        ({}, PROSE, None),
        ({"system": "Be brief."}, PROBLEM, None),
        ({"grammar": LINE}, PROBLEM, None),
        ({"json_schema": "{}"}, PROBLEM, None),
        ({"raw": True}, PROBLEM, None),
        ({"box": "on"}, PROSE, BOXED),
        ({"box": "on", "system": "Be brief."}, PROBLEM, BOXED),
        ({"box": "on", "grammar": LINE}, PROBLEM, BOXED),
        ({"box": "off"}, PROBLEM, None),
    ],
)
def test_the_instruction_of_a_problem(general, settings, problem, expected):
    asked = Settings(**settings)
    assert instruction_of(general, problem, asked) == expected
    assert build_prompt(general, problem, asked).instruction == expected


@pytest.mark.parametrize("box", ["auto", "on", "off"])
def test_a_model_that_boxes_its_answers_unasked_gets_no_instruction(embedded, box):
    settings = Settings(box=box)
    assert instruction_of(embedded, PROBLEM, settings) is None
    assert expects_answer(embedded, None, settings)


def test_a_method_that_rewrites_the_problem_keeps_its_instruction(general):
    def instructed(problem):
        prompts = ModelPrompts(general, problem, Settings())
        return NEUTRAL in general.llama.text(prompts.prompt("Explain this in a poem. " + problem)).decode()

    assert instructed(PROBLEM)
    assert not instructed(PROSE)


@pytest.mark.parametrize(
    ("settings", "box"),
    [
        ({}, "on"), ({"system": "s"}, "on"), ({"raw": True}, "off"), ({"grammar": LINE}, "off"),
        ({"box": "off"}, "off"), ({"box": "on"}, "on"),
    ],
)  # fmt: skip
def test_the_problems_of_a_task_ask_for_a_box(general, settings, box):
    assert settings_of_task(general, Settings(**settings)).box == box


def test_a_base_model_gets_the_problem_and_nothing_else(base):
    for box, problem in itertools.product(("auto", "off"), (PROBLEM, PROSE, " spaces \n")):
        prompt = build_prompt(base, problem, Settings(box=box))
        assert (prompt.text, prompt.instruction) == (problem, None)
        assert base.llama.text(prompt.tokens).decode() == problem
    assert settings_of_task(base, Settings()).box == "off"
    assert build_prompt(base, PROBLEM, Settings(box="on")).text == f"{PROBLEM}\n\n{BOXED}"
    assert build_prompt(base, PROBLEM, Settings(system="s")).text == f"s\n\n{PROBLEM}"


@pytest.mark.parametrize("is_sentencepiece", [True, False])
def test_raw_text_with_control_tokens(tmp_path, is_sentencepiece):
    spelled = "<s>a</s>b" if is_sentencepiece else "a<|end|>b"
    with localsmc.load(write_llama(tmp_path / "m.gguf", sentencepiece=is_sentencepiece)) as model:
        tokens = {
            special: build_prompt(model, spelled, Settings(raw=True, special=special)).tokens
            for special in (True, False)
        }
        bos, eos = (1, 2) if is_sentencepiece else (None, 257)
    assert np.count_nonzero(tokens[True] == eos) == 1
    assert np.count_nonzero(tokens[False] == eos) == 0
    if is_sentencepiece:  # BOS is added to the text that does not spell it, and not doubled
        assert [np.count_nonzero(one == bos) for one in tokens.values()] == [1, 1]
        assert {one[0] for one in tokens.values()} == {bos}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"box": "yes"}, "`box` is `yes`"),
        ({"box": "on", "raw": True}, "`box` has no effect"),
        ({"special": True}, "`special` works with `raw` only"),
    ],
)
def test_settings_without_effect_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message) as caught:
        Settings(**settings)
    assert caught.value.hint


def test_what_expects_an_answer(general):
    assert expects_answer(general, BOXED, Settings())
    assert not expects_answer(general, NEUTRAL, Settings())
    assert not expects_answer(general, None, Settings())
    assert expects_answer(general, None, Settings(grammar=LINE))
    assert expects_answer(general, None, replace(Settings(), json_schema="{}"))
