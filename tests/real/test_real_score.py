"""Scores of real models: those of llama-cpp-python's own evaluation. With `-s` it prints the differences."""

import sys

import numpy as np

import localsmc
from localsmc.scoring.choices import Question, choose

PROMPT = "The capital of France is"
TEXTS = (" Paris, and that of Italy is Rome.", " Lyon.", " a city on the Seine", " Paris, and that of Spain")
EXACT = 1e-9
APART = 0.25
"""How far log p of a token may be apart in another batch, where quantised activations are added otherwise."""


def expected(reference, model, found):
    head = model.llama.with_bos(model.llama.tokenize(found.prompt, special=False))
    return reference.logps_of_one_batch(head, [token.token for token in found.tokens])


def apart(reference, model, scores):
    return max(
        float(np.abs(expected(reference, model, one) - [token.logp for token in one.tokens]).max())
        for one in scores
    )


def test_texts_alone_and_together(real_name, real_model, real_reference):
    settings = localsmc.Settings(n_threads=1)
    pairs = [(PROMPT, text) for text in TEXTS]
    alone = [localsmc.score(real_model, [pair], settings=settings)[0] for pair in pairs]
    together = localsmc.score(real_model, pairs, settings=settings)
    exact, batched = (apart(real_reference, real_model, found) for found in (alone, together))
    sys.stdout.write(
        f"\n{real_name}: log p of a token is apart by {exact:.2g} alone, {batched:.2g} in a batch\n"
    )
    assert exact <= EXACT
    assert batched <= APART


def test_options_that_both_models_know(real_model):
    asked = [
        Question(prompt=f"The capital of {land} is", choices=("Oslo", "Paris", "Rome"), gold=(gold,))
        for gold, land in enumerate(("Norway", "France", "Italy"))
    ]
    assert [one.acc for one in choose(real_model, asked, settings=localsmc.Settings(n_threads=1))] == [
        1,
        1,
        1,
    ]
