"""The refusals of a model are recognised by the openings in its defaults, with every method.

Some of the solutions that the embedded model writes stand for refusals here: their texts are made openings.
"""

from dataclasses import replace

import pytest

import localsmc
from localsmc.engine.solve import Generation
from localsmc.methods import METHODS, Greedy, PowerSMC, Sample, SelfConsistency
from localsmc.selection import answer_shares
from localsmc.store.model_source import ModelDefaults, recommended
from localsmc_models.corpus.refusals import REFUSALS

QUESTION = "Ada buys 4 pens at 17 coins each and 3 books at 15 coins each. How many coins is that?"
SETTINGS = localsmc.Settings(seed=1, n_threads=1, conclude="off")
SAMPLE = Sample(particles=16, temperature=1.2)


@pytest.fixture(scope="module")
def embedded():
    with localsmc.load() as model:
        yield model


@pytest.fixture
def refusing(embedded):
    """A function that makes these openings the model's."""
    source = embedded.source

    def begin(*openings):
        embedded.source = replace(source, defaults=replace(source.defaults, refusals=openings))
        return embedded

    yield begin
    embedded.source = source


def test_the_models_have_the_openings_of_their_cards_and_others_none():
    for name in ("tiny", "draft"):
        assert recommended(f"localsmc {name}").refusals
    assert recommended("SmolLM2 135M Instruct").refusals == recommended(None).refusals == ()
    assert ModelDefaults().refusals == ()


@pytest.fixture(scope="module")
def plain(embedded):
    """A run in which nothing is refused."""
    return localsmc.solve(embedded, QUESTION, method=SAMPLE, settings=SETTINGS)


@pytest.fixture(scope="module")
def openings(plain):
    """The first texts that together have more than half of the weight: their answers differ."""
    texts, answers, weight = [], set(), 0.0
    for one in plain.completions:
        if weight <= 0.5 or len(answers) < 2:
            texts.append(one.text)
            answers.add(one.answer)
            weight += one.weight
    assert len(texts) < len(plain.completions)
    return tuple(texts)


def test_a_refusal_has_no_answer_and_all_else_stays_as_it_is(refusing, plain, openings):
    result = localsmc.solve(refusing(*openings), QUESTION, method=SAMPLE, settings=SETTINGS)
    expected = [
        replace(one, answer=None, source=None, is_refused=True) if one.text in openings else one
        for one in plain.completions
    ]
    assert list(result.completions) == expected
    assert result.answers == answer_shares(expected)
    (share,) = [one for one in result.answers if one.is_refused]
    assert share.weight == pytest.approx(sum(one.weight for one in expected if one.is_refused))


def test_refusals_win_the_vote_together(refusing, openings):
    settings = replace(SETTINGS, select="majority")
    result = localsmc.solve(refusing(*openings), QUESTION, method=SAMPLE, settings=settings)
    assert (result.answer, result.source, result.confidence, result.is_refused) == (None, None, None, True)
    assert result.text in openings
    assert result.answers[0].is_refused
    assert result.to_json()["is_refused"] is True


def run(model, question, method, settings, kind):
    with Generation(model, question, method, settings, answer_kind=kind) as solving:
        for _ in solving:
            pass
        return solving.result()


@pytest.mark.parametrize("conclude", ["on", "off"])
def test_neither_the_last_number_nor_a_closing_request_is_the_answer_of_a_refusal(refusing, conclude):
    settings = replace(SETTINGS, n_predict=10, conclude=conclude)
    before = run(refusing(), QUESTION, SAMPLE, settings, "numeric")
    source = "concluded" if conclude == "on" else "fallback"
    openings = [one.text for one in before.completions if one.source == source][:2]
    after = run(refusing(*openings), QUESTION, SAMPLE, settings, "numeric")
    refused = [one for one in after.completions if one.is_refused]
    assert [one.text for one in refused] == openings != []
    assert all(one.answer is None and one.source is None for one in refused)
    if conclude == "on":
        assert after.usage.concluded.texts == before.usage.concluded.texts - len(refused)


@pytest.mark.parametrize("constrained", ["grammar", "json_schema"])
def test_a_constrained_refusal_has_no_answer(embedded, constrained):
    grammar = f'root ::= "{REFUSALS[0]}"' if constrained == "grammar" else None
    schema = None if grammar else f'{{"const": "{REFUSALS[0]}"}}'
    settings = replace(SETTINGS, grammar=grammar, json_schema=schema)
    result = localsmc.solve(embedded, QUESTION, method=Greedy(), settings=settings)
    # A JSON text is an answer by its form, and begins with a quote.
    assert (result.answer is None) == result.is_refused == (constrained == "grammar")


@pytest.mark.parametrize("name", METHODS)
def test_every_method_returns_a_refusal_as_one(refusing, name):
    model = refusing("")  # whatever is written is a refusal
    options = {"particles": 3} if name in ("sample", "power-smc", "self-consistency", "ssr") else {}
    settings = replace(SETTINGS, n_predict=24)
    result = localsmc.solve(model, "What is 4 + 9?", method=model.method(name, **options), settings=settings)
    assert (result.answer, result.confidence, result.is_refused) == (None, None, True)
    (share,) = result.answers
    assert (share.answer, share.is_refused, share.weight) == (None, True, pytest.approx(1.0))


@pytest.mark.parametrize("conclude", ["on", "off"])
@pytest.mark.parametrize(
    "method",
    [
        SelfConsistency(particles=16, temperature=1.5),
        PowerSMC(particles=16, alpha=1.0, ramp=0, resampling="systematic", stop_when_decided=0.6),
    ],
    ids=lambda method: method.name,
)
def test_what_stops_early_takes_refusals_for_one_answer(refusing, method, conclude):
    settings = replace(SETTINGS, conclude=conclude, select="majority")
    question = "What is 487 * 39 + 128 * 46?"  # its solutions differ in length and in what they give
    whole = run(refusing(), question, method, settings, "numeric")
    result = run(refusing(""), question, method, settings, "numeric")
    assert result.usage.rows < whole.usage.rows
    assert result.is_refused
    assert result.usage.concluded is None or not result.usage.concluded.texts
