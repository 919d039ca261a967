"""The embedded model answers what a newcomer types, by the defaults of `solve`, and declines the rest.

The least counts are of these questions and this model: `python -m localsmc_models.experiments.newcomers`
prints the same with intervals.
"""

import json
from pathlib import Path

import localsmc
import localsmc_models
from localsmc.methods import PowerSMC
from localsmc.text import answers

HUNDRED = Path(__file__).parent.parent / "first_hundred.jsonl"
CARD = localsmc_models.card("tiny")


def asked(embedded):
    """Each question of the hundred, its answer (None: to be declined), and the result."""
    method = PowerSMC(alpha=CARD.alpha, ramp=CARD.ramp)
    settings = localsmc.Settings(seed=1, n_threads=1, n_predict=CARD.n_predict)
    for line in HUNDRED.read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        yield one["answer"], localsmc.solve(embedded, one["question"], method=method, settings=settings)


def test_the_first_hundred(embedded):
    results = list(asked(embedded))
    right = [
        answer is not None and result.answer is not None and answers.same(result.answer, answer, "numeric")
        for answer, result in results
    ]
    assert sum(right) >= 63
    assert sum(result.is_refused for answer, result in results if answer is None) >= 28
    assert not any(result.is_refused for answer, result in results if answer is not None)
