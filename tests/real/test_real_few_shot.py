"""Few-shot runs of the real models: the same however they are run, in the form of the examples, and ended."""

from __future__ import annotations

import numpy as np
import pytest
from few_shot_runs import EXAMPLES, QUESTIONS, assert_same_however_it_is_run, solved_texts

import localsmc
from localsmc.engine.beginnings import beginning
from localsmc.engine.prompting import build_prompt
from localsmc.engine.settings import Settings
from localsmc.evals.model_specs import parse_models
from localsmc.text.examples import Examples

TEXT = (
    "Every problem is about numbers of things. Work it out in one short sentence, with the numbers that are"
    " given, and end that sentence with the number that is asked for.\n\nProblem: 2 birds and 3 birds?"
    "\n2 + 3 = 5, so there are 5."
)
METHOD = "power-smc:N=3"
FORMS = {
    "turns or plain": Settings(examples=EXAMPLES),
    "plain": Settings(examples=EXAMPLES, raw=True),
    "a text": Settings(examples=Examples(text=TEXT)),
}


def test_a_problem_comes_to_the_same_however_it_is_run(real_model, real_path, tmp_path):
    short = {"n_predict": 5, "conclude": "off"}
    runs = assert_same_however_it_is_run(tmp_path, parse_models([str(real_path)]), (METHOD,), **short)
    n_shared = len(beginning(real_model, Settings(examples=EXAMPLES)))
    assert {one["cached_tokens"] for one in runs.values()} == {n_shared}
    [method] = {key[1] for key in runs}
    assert solved_texts(real_model, 1, METHOD, **short) == runs["p1", method]["texts"]


@pytest.mark.parametrize("settings", FORMS.values(), ids=FORMS)
def test_every_prompt_has_the_beginning(real_model, settings):
    shared = beginning(real_model, settings)
    whole = b"".join(real_model.llama.pieces[int(token)] for token in shared).decode()
    shown = settings.examples.text or settings.examples.pairs[-1].answer
    assert shown[:-1] in whole
    for problem in (*QUESTIONS, "x", "  x", "é", "\nx", "Question: x", "漢字", "the"):
        prompt = build_prompt(real_model, problem, settings)
        assert np.array_equal(prompt.tokens[: len(shared)], shared), problem
        assert problem in prompt.text


def test_a_completion_has_the_form_of_the_examples_and_ends(real_model):
    settings = Settings(examples=EXAMPLES, n_predict=80, n_threads=1)
    result = localsmc.solve(real_model, QUESTIONS[0], method=localsmc.Greedy(), settings=settings)
    [completion] = result.completions
    assert completion.finish_reason == "stop"
    assert "The answer is" in result.text
    assert "Question:" not in result.text
    assert result.answer is not None
