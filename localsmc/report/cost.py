"""What answers cost: rows, tokens, FLOPs and seconds, against plain sampling on the same problems."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from localsmc.evals.result_lines import Cost
from localsmc.report import table
from localsmc.report.groups import ResultGroup, means
from localsmc.report.table import Column, Table

PARTS = ("rows", "decodes", "tokens", "flops", "seconds")
DRAFT_PARTS = ("rated", "rewritten", "wasted")
OF_DRAFT = ("drafted", "kept", *DRAFT_PARTS)
"""What a draft's account says, not the target's."""

COLUMNS = (
    Column("run", "run"),
    Column("task", "task"),
    Column("model", "model"),
    Column("method", "method"),
    Column("particles", "N", table.count),
    Column("rows_share", "rows/(N·steps)", table.figure),
    Column("steps", "steps", table.figure),
    Column("rows", "rows", table.figure),
    Column("decodes", "decodes", table.figure),
    Column("tokens", "tokens", table.figure),
    Column("flops", "GFLOPs", table.billions),
    Column("seconds", "seconds", table.figure),
    Column("times_rows", "rows ×", table.figure),
    Column("times_decodes", "decodes ×", table.figure),
    Column("times_tokens", "tokens ×", table.figure),
    Column("times_flops", "FLOPs ×", table.figure),
    Column("times_seconds", "seconds ×", table.figure),
    Column("accepted", "accepted", table.percent_or_none),
    Column("swapped", "swapped", table.percent_or_none),
    Column("kept", "draft kept", table.percent_or_none),
    Column("rated", "rated", table.figure),
    Column("rewritten", "rewritten", table.figure),
    Column("wasted", "wasted", table.figure),
)

UNTOUCHED = {"temperature": 1, "top_k": 0, "top_p": 1, "min_p": 0}
"""Options of a sample that leave the model's law as it is."""

DRAFT_NOTE = (
    " Rows and decodes are the target's own where a draft writes, FLOPs those of both models. Of the draft's"
    " tokens those kept are in texts; the target has rated, rewritten and wasted so many tokens a problem."
)


class Costs:
    """The groups' costs a problem, and each group's baseline: plain sampling where there is any.

    `names` are the methods' by their labels, `configs` their configurations.
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
        """What the group's cost is told relative to; None where no cost is known."""
        return self._baselines[id(group)]

    def ratio(self, group: ResultGroup, part: str) -> float | None:
        """The cost over the baseline's, on the problems that both have done.

        None where there is none, and for seconds of different machines.
        """
        base = self.baseline(group)
        if base is None or (part == "seconds" and base.machine != group.machine):
            return None
        ours, theirs = self._spent[id(group)][part], self._spent[id(base)][part]
        common = ours.keys() & theirs.keys()
        below = math.fsum(theirs[problem] for problem in common)
        return math.fsum(ours[problem] for problem in common) / below if below > 0 else None

    def mean(self, group: ResultGroup, part: str) -> float | None:
        """The mean over the problems; None where none was answered, or none says what it took of this."""
        spent = self._spent[id(group)][part].values()
        return math.fsum(spent) / len(spent) if spent else None

    def _is_known(self, group: ResultGroup) -> bool:
        return bool(self._spent[id(group)]["rows"])

    def _baseline(self, group: ResultGroup, groups: Sequence[ResultGroup]) -> ResultGroup | None:
        rivals = [one for one in groups if one.place == group.place and self._is_known(one)]
        here = [one for one in rivals if one.sources == group.sources] or rivals
        plain = [one for one in here if self._names[one.method] == "sample" and one.particles == 1]
        as_it_is = [one for one in plain if self._is_untouched(one.method)]
        simple = [one for one in here if self._names[one.method] in ("sample", "greedy")]
        for some in (as_it_is, plain, simple, here):
            if some:
                return min(some, key=lambda one: self.mean(one, "rows") or 0.0)
        return None

    def _is_untouched(self, method: str) -> bool:
        """Whether it samples from the model's own law."""
        config = self._configs[method]
        return all(config.get(option, own) == own for option, own in UNTOUCHED.items())

    def table(self, groups: Sequence[ResultGroup]) -> Table | None:
        """All costs; None where nothing was answered."""
        rows = [self._row(group) for group in groups if self._is_known(group)]
        if not rows:
            return None
        return Table(
            name="cost", title="Cost a problem", columns=COLUMNS, rows=tuple(rows), note=self.note(groups)
        )

    def note(self, groups: Sequence[ResultGroup]) -> str:
        """Which method × 1 is, and what is told of a draft."""
        has_steps = any(_accepted(group) is not None for group in groups)
        steps = " Accepted are the Metropolis steps that changed a text." if has_steps else ""
        bases = [self.baseline(group) for group in groups]
        told = " or ".join(dict.fromkeys(f"`{base.method}`" for base in bases if base is not None))
        return (
            f"× is relative to {told} on the problems that both have done."
            " Loading a model is not counted; tokens are those of the distinct histories that are kept."
            f"{steps}{DRAFT_NOTE if any(map(has_draft, groups)) else ''}"
        )

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
            *(self.mean(group, part) for part in PARTS),
            *(self.ratio(group, part) for part in PARTS),
            _accepted(group),
            _share(group, "swaps", "swap_proposals"),
            _share(group, "kept", "drafted"),
            *(self.mean(group, part) or None for part in DRAFT_PARTS),
        )


def has_draft(group: ResultGroup) -> bool:
    """Whether two models did any of it."""
    return any(line.drawn is not None and line.drawn.spent.draft is not None for line in group.lines)


def _accepted(group: ResultGroup) -> float | None:
    return _share(group, "accepted", "proposals")


def _share(group: ResultGroup, part: str, whole: str) -> float | None:
    """Of all runs together; None where there is nothing to share."""
    spent = [line.drawn.spent for line in group.lines if line.drawn is not None]
    below = sum(_value(one, whole) or 0 for one in spent)
    return sum(_value(one, part) or 0 for one in spent) / below if below else None


def _value(spent: Cost, part: str) -> float | None:
    """A count of a run, or of its draft; None where it has none."""
    found = getattr(spent.draft if part in OF_DRAFT else spent, part, None)
    return None if found is None else float(found)


def _by_problem(group: ResultGroup) -> dict[str, dict[str, float]]:
    """By part what each problem took of it, the mean over the seeds; without those that failed."""
    done = [(line, line.drawn.spent) for line in group.lines if line.drawn is not None]
    return {
        part: means(
            {
                (line.problem, line.seed): value
                for line, spent in done
                if (value := _value(spent, part)) is not None
            }
        )
        for part in (*PARTS, "steps", *DRAFT_PARTS)
    }
