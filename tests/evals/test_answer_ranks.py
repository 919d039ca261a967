"""The rank of an answer among those that a run sampled."""

import numpy as np
import pytest

from localsmc.evals.answer_ranks import answer_rank
from localsmc.evals.result_records import Cost, Generated, History, ResultRecord, StepCurves
from localsmc.results import AnswerShare, Completion

COST = Cost(
    rows=1, decodes=1, tokens=1, steps=1, seconds=1, reductions=0,
    proposals=0, accepted=0, swap_proposals=0, swaps=0,
)  # fmt: skip


def history(answer, weight, logp):
    one = Completion(
        text="", answer=answer, logp=logp, weight=weight, n_tokens=1, finish_reason="stop", count=1
    )
    return History(completion=one, tokens=np.zeros(0, dtype=np.int32))


def record(*completions, gold="7", verdict="wrong", verdicts=None):
    shares = {}
    for answer, weight, _ in completions:
        shares[answer] = shares.get(answer, 0.0) + weight
    drawn = Generated(
        particles=len(completions),
        select="draw",
        log_z=None,
        shares=tuple(AnswerShare(answer=answer, weight=w, count=1) for answer, w in shares.items()),
        histories=tuple(history(*one) for one in completions),
        spent=COST,
    )
    right = {"7": "right", "7.0": "right"} if verdicts is None else verdicts
    return ResultRecord(
        task="t", problem="1", family=None, level=None, model="m", method="sample", seed=0, question="?",
        gold=gold, answer=None, verdict=verdict, error=None,
        verdicts={answer: right.get(answer, "wrong") for answer in shares if answer is not None},
        drawn=drawn, steps=StepCurves(ess=np.zeros(0), histories=np.zeros(0)),
    )  # fmt: skip


LINE = record(("8", 0.5, -2.0), ("7", 0.2, -3.0), ("9", 0.2, -1.0), ("7.0", 0.05, -2.5), (None, 0.05, -9.0))


def test_the_right_answer_as_the_run_graded_it():
    found = answer_rank(LINE)
    assert (found.rank, found.weight, found.n_answers) == (2, pytest.approx(0.25), 4)
    assert (found.answer, found.top, found.top_weight, found.logp) == ("7", "8", 0.5, -2.5)


@pytest.mark.parametrize(
    ("answer", "rank", "weight", "logp"),
    [("8", 1, 0.5, -2.0), (" 9. ", 2, 0.2, -1.0), ("10", None, 0.0, None)],
)
def test_another_answer(answer, rank, weight, logp):
    found = answer_rank(LINE, answer)
    assert (found.rank, found.weight, found.logp) == (rank, weight, logp)
    assert found.to_json()["answer"] == answer


def test_answers_of_equal_weight_have_the_same_rank():
    line = record(("8", 0.4, -1.0), ("7", 0.4, -1.0), ("9", 0.2, -1.0))
    assert [answer_rank(line, answer).rank for answer in "789"] == [1, 1, 3]


def test_what_was_not_graded_has_no_right_answer():
    line = record(("8", 1.0, -1.0), gold=None, verdict="ungraded")
    assert answer_rank(line) is None
    assert answer_rank(line, "8").rank == 1
    nothing = record((None, 1.0, -1.0))
    assert (answer_rank(nothing).rank, answer_rank(nothing).top) == (None, None)
