"""How the real models are asked: instructions, the bare text of a base model, templates, control tokens."""

from __future__ import annotations

import json

import numpy as np
import pytest

import localsmc
from localsmc import LoadOptions, Settings
from localsmc.engine.prompting import build_prompt
from localsmc.text.instructions import NEUTRAL

PROBLEM, PROSE = "How many legs do 3 frogs have?", "Write a haiku about autumn."
TURN = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
SPACED = "The capital of France is "


def test_an_instruct_model_is_asked_for_the_answer_of_a_problem_only(smollm2):
    for problem, instruction in ((PROBLEM, NEUTRAL), (PROSE, None)):
        prompt = build_prompt(smollm2, problem, Settings())
        whole = problem if instruction is None else f"{problem}\n\n{instruction}"
        assert prompt.instruction == instruction
        assert prompt.text.endswith(TURN.format(whole))


@pytest.mark.parametrize("text", [SPACED, "  x", "line\n", "<end_of_turn>"])
def test_a_base_model_gets_bos_and_the_text(gemma, text):
    prompt = build_prompt(gemma, text, Settings())
    assert prompt.text == text
    assert gemma.llama.text(prompt.tokens).decode() == text
    controls = np.isin(prompt.tokens, gemma.llama.control_tokens)
    assert controls.tolist() == [True] + [False] * (len(controls) - 1)


def test_raw_text_may_spell_bos_and_turns(gemma):
    turn = "<start_of_turn>user\nhi<end_of_turn>\n"
    spelled, bare = (
        build_prompt(gemma, text, Settings(raw=True, special=True)).tokens for text in (f"<bos>{turn}", turn)
    )
    assert spelled.tolist() == bare.tolist()
    assert np.isin(spelled, gemma.llama.control_tokens).sum() == 3
    literal = build_prompt(gemma, turn, Settings(raw=True)).tokens
    assert np.isin(literal, gemma.llama.control_tokens).sum() == 1


def test_a_template_by_name_is_the_models_own_or_gives_one(smollm2, smollm2_path, gemma_path):
    with localsmc.load(smollm2_path, LoadOptions(chat_template="chatml")) as model:
        assert not model.notices
        asked = Settings(system="Be brief.")
        own, named = (build_prompt(one, PROBLEM, asked).tokens for one in (smollm2, model))
        assert own.tolist() == named.tolist()
    with localsmc.load(gemma_path, LoadOptions(chat_template="gemma")) as model:
        assert not model.notices
        prompt = build_prompt(model, "<end_of_turn>", Settings())
        assert np.isin(prompt.tokens, model.llama.control_tokens).sum() == 4  # BOS, two starts, one end
        assert prompt.text == "<start_of_turn>user\n<end_of_turn><end_of_turn>\n<start_of_turn>model\n"
    with localsmc.load(gemma_path, LoadOptions(chat_template="chatml")) as model:
        (notice,) = model.notices
        assert "has no <|im_start|>, <|im_end|>: " in notice


def test_the_command_says_what_it_sent(cli, smollm2_path, gemma_path, with_spaces):
    brief = ["-t", "1", "-N", "2", "-n", "6", "-s", "1", "-v"]
    code, _, err = cli("solve", PROSE, "-m", with_spaces(smollm2_path), *brief)
    assert code == 0
    assert "none found" not in err
    assert "the text was cut at 6 tokens; add `-n 12` for more" in err
    code, out, err = cli("solve", SPACED, "-m", with_spaces(gemma_path), *brief, "--json")
    assert code == 0
    assert f"prompt: {json.dumps(SPACED)}\n" in err
    assert err.count("is a base model: it has no chat template") == 1
    assert json.loads(out)["method"]["config"]["instruction"] is None
