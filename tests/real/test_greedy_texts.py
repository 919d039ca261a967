"""Greedy texts: those of llama-cpp-python here and now, and golden ones (greedy_texts.py writes them).

Kernels differ between CPUs and round differently, so texts part where the two best tokens are nearly equally
probable. With five other kernels on one machine (flash attention, other batches, another cache type) texts
parted where the best token led by up to 0.29 in log p, and leads changed by up to 1.0 where they were large.
"""

from __future__ import annotations

import json

import pytest
from greedy_texts import FILE, N_TOKENS, PROBLEMS

import localsmc
from localsmc import Settings

NEAR_TIE = 0.1
"""A lead of the best token, in log p, below which llama.cpp may choose another one in another build."""
NEAR_TIE_ELSEWHERE = 0.5
"""The same between CPUs."""

GOLDEN = json.loads(FILE.read_text(encoding="utf-8"))


def sure(tokens, leads, near_tie):
    """The tokens before the first near tie."""
    return tokens[: next((i for i, lead in enumerate(leads) if lead < near_tie), len(tokens))]


@pytest.mark.parametrize(
    ("real_name", "golden"),
    [(golden["model"], golden) for golden in GOLDEN],
    ids=[golden["problem"] for golden in GOLDEN],
    indirect=["real_name"],
    scope="session",
)
def test_a_greedy_text_is_that_of_llama_cpp_python(golden, real_name, real_model, real_reference):
    settings = Settings(n_predict=N_TOKENS, n_threads=1, box="off", conclude="off", raw=real_name == "gemma")
    method = real_model.method("greedy")
    with localsmc.start(real_model, golden["problem"], method=method, settings=settings) as solving:
        for _ in solving:
            pass
        [ending] = solving.endings()
        assert solving.prompt.tolist() == golden["prompt"]
    found = ending.tokens.tolist()
    expected = sure(*real_reference.greedy(golden["prompt"], N_TOKENS), NEAR_TIE)
    assert found[: len(expected)] == expected
    expected = sure(golden["tokens"], golden["leads"], NEAR_TIE_ELSEWHERE)
    assert len(expected) >= 6
    assert found[: len(expected)] == expected


def test_the_golden_texts_are_those_of_the_script():
    assert [(golden["model"], golden["problem"]) for golden in GOLDEN] == [
        (name, problem) for name, problems in PROBLEMS.items() for problem in problems
    ]
