"""Cost of answers: decoded tokens (`rows`), tokens, FLOPs and seconds, relative to plain sampling."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from localsmc.evals.result_records import Cost
from localsmc.report import table
from localsmc.report.groups import ResultGroup, means
from localsmc.report.table import Column, Table

PARTS = ("rows", "decodes", "tokens", "flops", "seconds")
CONCLUDING = "concluding"
"""Tokens decoded to conclude completions, apart from those of the run."""

DRAFT_PARTS = ("rated", "rewritten", "wasted")
OF_DRAFT = ("drafted", "kept", *DRAFT_PARTS)
"""Counts recorded for the draft model, not for the target."""

COLUMNS = (
    Column("run", "run"),
    Column("task", "task"),
    Column("model", "model"),
    Column("method", "method"),
    Column("particles", "N", table.count),
    Column("rows_share", "decoded tokens/(N·steps)", table.figure, is_detail=True),
    Column("steps", "steps", table.figure, is_detail=True),
    Column("rows", "decoded tokens", table.figure),
    Column("decodes", "decodes", table.figure, is_detail=True),
    Column("tokens", "tokens", table.figure, is_detail=True),
    Column("concluding", "to conclude", table.figure, is_detail=True),
    Column("flops", "GFLOPs", table.billions, is_detail=True),
    Column("seconds", "seconds", table.figure),
    Column("times_rows", "decoded tokens ×", table.figure),
    Column("times_decodes", "decodes ×", table.figure, is_detail=True),
    Column("times_tokens", "tokens ×", table.figure, is_detail=True),
    Column("times_flops", "FLOPs ×", table.figure, is_detail=True),
    Column("times_seconds", "seconds ×", table.figure),
    Column("accepted", "accepted", table.percent_or_none, is_detail=True),
    Column("swapped", "swapped", table.percent_or_none, is_detail=True),
    Column("kept", "draft kept", table.percent_or_none),
    Column("rated", "rated", table.figure, is_detail=True),
    Column("rewritten", "rewritten", table.figure, is_detail=True),
    Column("wasted", "wasted", table.figure, is_detail=True),
)

UNTOUCHED = {"temperature": 1, "top_k": 0, "top_p": 1, "min_p": 0}
"""Options with which `sample` draws from the model's unmodified distribution."""

CONCLUDING_NOTE = (
    "To conclude counts the tokens decoded to ask completions without an answer for one; they are in FLOPs"
    " and seconds, and not in decoded tokens."
)

DRAFT_NOTE = (
    "With a draft model, decoded tokens and decodes count the target only, FLOPs count both models. Draft"
    " kept is the share of draft tokens that are part of a completion. Per problem, the target read rated"
    " tokens to rate steps, wrote rewritten tokens, and decoded wasted tokens that are in no completion."
)


class Costs:
    """The groups' costs per problem, and each group's baseline: plain sampling if available.

    `names` and `configs` are the method names and configurations by label.
    """

    def __init__(
        self,
        groups: Sequence[ResultGroup],
        names: Mapping[str, str],
        configs: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._names, self._configs = names, configs
        self._spent = {id(group): _by_problem(group) for group in groups}
        self._baselines = {id(group): self._baseline(group, groups) for group in groups}

    def baseline(self, group: ResultGroup) -> ResultGroup | None:
        """The group that costs are relative to; None if no cost is known."""
        return self._baselines[id(group)]

    def ratio(self, group: ResultGroup, part: str) -> float | None:
        """The cost relative to the baseline, on the problems that both have completed.

        None without a baseline, and for seconds measured on different machines.
        """
        base = self.baseline(group)
        if base is None or (part == "seconds" and base.machine != group.machine):
            return None
        spent, base_spent = self._spent[id(group)][part], self._spent[id(base)][part]
        common = spent.keys() & base_spent.keys()
        total = math.fsum(base_spent[problem] for problem in common)
        return math.fsum(spent[problem] for problem in common) / total if total > 0 else None

    def mean(self, group: ResultGroup, part: str) -> float | None:
        """The mean over the problems; None if no problem has this figure."""
        spent = self._spent[id(group)][part].values()
        return math.fsum(spent) / len(spent) if spent else None

    def _is_known(self, group: ResultGroup) -> bool:
        return any(self._spent[id(group)]["rows"].values())  # graded texts of others cost nothing

    def _baseline(self, group: ResultGroup, groups: Sequence[ResultGroup]) -> ResultGroup | None:
        rivals = [one for one in groups if one.place == group.place and self._is_known(one)]
        here = [one for one in rivals if one.sources == group.sources] or rivals
        plain = [one for one in here if self._names[one.method] == "sample" and one.particles == 1]
        untouched = [one for one in plain if self._is_untouched(one.method)]
        simple = [one for one in here if self._names[one.method] in ("sample", "greedy")]
        for some in (untouched, plain, simple, here):
            if some:
                return min(some, key=lambda one: self.mean(one, "rows") or 0.0)
        return None

    def _is_untouched(self, method: str) -> bool:
        """Whether it samples from the model's unmodified distribution."""
        config = self._configs[method]
        return all(config.get(option, own) == own for option, own in UNTOUCHED.items())

    def table(self, groups: Sequence[ResultGroup]) -> Table | None:
        """The cost table; None if nothing was answered."""
        rows = [self._row(group) for group in groups if self._is_known(group)]
        if not rows:
            return None
        return Table(
            name="cost",
            title="Cost per problem",
            columns=COLUMNS,
            rows=tuple(rows),
            note=self.note(groups),
            details=self.details(groups),
        )

    def note(self, groups: Sequence[ResultGroup]) -> str:
        """What costs are relative to."""
        bases = [self.baseline(group) for group in groups]
        names = " or ".join(dict.fromkeys(base.method for base in bases if base is not None))
        return (
            f"× is relative to {names}, on the problems that both have completed. Model loading is excluded."
        )

    def details(self, groups: Sequence[ResultGroup]) -> str:
        """Explanations of the columns."""
        parts = ["Tokens are those of the distinct completions."]
        if any(self.mean(group, CONCLUDING) for group in groups):
            parts.append(CONCLUDING_NOTE)
        if any(_accepted(group) is not None for group in groups):
            parts.append("Accepted is the share of Metropolis steps that changed the completion.")
        if any(map(has_draft, groups)):
            parts.append(DRAFT_NOTE)
        return " ".join(parts)

    def _row(self, group: ResultGroup) -> tuple[Any, ...]:
        steps, rows = self.mean(group, "steps"), self.mean(group, "rows")
        full = group.particles * steps if steps else 0.0
        return (
            group.run,
            *group.place,
            group.method,
            group.particles,
            rows / full if rows is not None and full else None,
            steps,
            *(self.mean(group, part) for part in PARTS[:3]),
            self.mean(group, CONCLUDING) or None,
            *(self.mean(group, part) for part in PARTS[3:]),
            *(self.ratio(group, part) for part in PARTS),
            _accepted(group),
            _share(group, "swaps", "swap_proposals"),
            _share(group, "kept", "drafted"),
            *(self.mean(group, part) or None for part in DRAFT_PARTS),
        )


def has_draft(group: ResultGroup) -> bool:
    """Whether any line used a draft model."""
    return any(line.drawn is not None and line.drawn.spent.draft is not None for line in group.lines)


def _accepted(group: ResultGroup) -> float | None:
    return _share(group, "accepted", "proposals")


def _share(group: ResultGroup, part: str, whole: str) -> float | None:
    """The ratio of two counts, summed over all lines; None if the whole is 0."""
    spent = [line.drawn.spent for line in group.lines if line.drawn is not None]
    total = sum(_value(one, whole) or 0 for one in spent)
    return sum(_value(one, part) or 0 for one in spent) / total if total else None


def _value(spent: Cost, part: str) -> float | None:
    """A count of a run or of its draft model; None if it is not recorded."""
    found = getattr(spent.draft if part in OF_DRAFT else spent, part, None)
    return None if found is None else float(found)


def _by_problem(group: ResultGroup) -> dict[str, dict[str, float]]:
    """The cost of each problem by part, averaged over the seeds; failed runs are left out."""
    done = [(line, line.drawn.spent) for line in group.lines if line.drawn is not None]
    return {
        part: means(
            {
                (line.problem, line.seed): value
                for line, spent in done
                if (value := _value(spent, part)) is not None
            }
        )
        for part in (*PARTS, CONCLUDING, "steps", *DRAFT_PARTS)
    }
