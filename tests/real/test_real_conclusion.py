"""Conclusions on real models: texts and weights stay, answers repeat, whichever way a text is continued."""

import pytest

import localsmc
from localsmc.lm.kv_slots import KVSlots

PROBLEM = "Sam has 12 pens and gives 5 to Ann. How many pens does Sam have left?"


def solved(model, name, conclude, **changed):
    options = {"n_predict": 24, "seed": 3, "n_threads": 1, "conclude": conclude, **changed}
    method = model.method(name, particles=4)
    return localsmc.solve(model, PROBLEM, method=method, settings=localsmc.Settings(**options))


def texts(result):
    return [(one.text, one.weight, one.logp, one.finish_reason) for one in result.completions]


@pytest.mark.parametrize("name", ["sample", "power-smc"])
def test_texts_and_weights_are_those_of_a_run_without_conclusions(real_model, name):
    plain, asked = solved(real_model, name, "off"), solved(real_model, name, "on")
    assert texts(plain) == texts(asked)
    assert plain.log_z == asked.log_z
    assert [one.answer for one in asked.completions] == [
        one.answer for one in solved(real_model, name, "on").completions
    ]
    n_without = sum(one.answer is None for one in plain.completions)
    if name == "sample":
        assert n_without
    concluded = asked.usage.concluded
    assert n_without == (0 if concluded is None else concluded.texts)
    assert (sum(one.source == "concluded" for one in asked.completions) > 0) == (n_without > 0)


def test_texts_that_are_decoded_again_mostly_get_the_answers_of_their_slots(real_model, monkeypatch):
    """The two ways round differently, so nearly tied answers may differ; most do not."""
    kept = solved(real_model, "sample", "on")
    monkeypatch.setattr(KVSlots, "find_aside", lambda *_: None)
    again = solved(real_model, "sample", "on")
    assert kept.usage.concluded.rows < again.usage.concluded.rows
    pairs = [
        (one.answer, other.answer)
        for one, other in zip(kept.completions, again.completions, strict=True)
        if one.source == "concluded"
    ]
    assert sum(one == other for one, other in pairs) >= len(pairs) / 2
