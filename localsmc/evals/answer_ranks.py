"""Where an answer stands among those that a run sampled: its rank by weight, and the weight itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from localsmc.evals.result_records import RIGHT, UNGRADED, Generated, ResultRecord
from localsmc.results import AnswerShare
from localsmc.text.answers import same


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRank:
    """The rank of an answer among the distinct answers of one run of a problem: 1 is the heaviest.

    Answers of equal weight have the same rank. `rank` is None if no completion has the answer; its `weight`
    is 0 then. `n_answers` are the distinct answers, and `top` is the heaviest one with its weight. `logp` is
    the log-probability of the most probable completion with the answer, None if the run has none.
    """

    task: str
    problem: str
    model: str
    method: str
    seed: int
    answer: str
    rank: int | None
    weight: float
    n_answers: int
    top: str | None
    top_weight: float
    logp: float | None

    def to_json(self) -> dict[str, Any]:
        """The rank as a dictionary for `json.dumps`."""
        return asdict(self)


def answer_rank(line: ResultRecord, answer: str | None = None) -> AnswerRank | None:
    """The rank of an answer in a line of a run, by default of the right one as the run graded it.

    None if the run failed or, without `answer`, was not graded.
    """
    drawn = line.drawn
    if drawn is None or (answer is None and (line.gold is None or line.verdict == UNGRADED)):
        return None
    shares = [share for share in drawn.shares if share.answer is not None]
    meant = [share for share in shares if _is_meant(line, drawn, share.answer, answer)]
    weight = sum((share.weight for share in meant), 0.0)
    rank = 1 + sum(share.weight > weight for share in shares if share not in meant) if meant else None
    top = max(shares, key=lambda share: share.weight, default=AnswerShare(answer=None, weight=0.0, count=0))
    logps = [
        one.logp
        for one in drawn.completions
        if one.logp is not None and _is_meant(line, drawn, one.answer, answer)
    ]
    return AnswerRank(
        task=line.task,
        problem=line.problem,
        model=line.model,
        method=line.method,
        seed=line.seed,
        answer=str(line.gold) if answer is None else answer,
        rank=rank,
        weight=weight,
        n_answers=len(shares),
        top=top.answer,
        top_weight=top.weight,
        logp=max(logps, default=None),
    )


def _is_meant(line: ResultRecord, drawn: Generated, found: str | None, answer: str | None) -> bool:
    if answer is None:
        return found is not None and line.verdict_of(found) == RIGHT
    return same(found, answer, drawn.kind)
