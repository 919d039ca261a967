"""Few-shot evaluations of the same problems in several ways, and what each problem's runs came to."""

from __future__ import annotations

import json
from dataclasses import replace

from localsmc.engine.settings import Settings
from localsmc.engine.solve import start
from localsmc.evals.run_folder import Key, RunFolder
from localsmc.evals.runner import Evaluation, Plan, seed_of
from localsmc.evals.tasks import Item, Task
from localsmc.methods.spec import parse_method
from localsmc.text.examples import Examples, Pair

PAIRS = (
    Pair("Mia has 3 apples and picks 4. How many has she?", "She has 3 + 4 = 7 apples. The answer is 7."),
    Pair("Of 15 birds 6 flew away. How many are left?", "There are 15 - 6 = 9 left. The answer is 9."),
)
EXAMPLES = Examples(pairs=PAIRS)
QUESTIONS = ("Tom has 5 pens and buys 8. How many has he?", " 12 - 4 = ?", "How many are 3 boxes of 7?")


def few_shot_task(order=(0, 1, 2), examples=EXAMPLES):
    items = tuple(Item(problem_id=f"p{i}", question=QUESTIONS[i], gold="1") for i in order)
    return Task(name="t", version=1, source="here", grader="numeric", items=items, examples=examples)


def few_shot_plan(models, methods, order=(0, 1, 2), examples=EXAMPLES, **settings):
    settings = {"n_predict": 12, "n_threads": 1, **settings}
    return Plan(
        tasks=(few_shot_task(order, examples),),
        models=models,
        methods=tuple(map(parse_method, methods)),
        seeds=(0,),
        settings=Settings(**settings),
    )


def outcome(line):
    """What a run came to: the tokens and log-probabilities of its completions, and what was decoded."""
    assert line["result"], line["error"]
    usage = line["result"]["usage"]
    counts = {name: value for name, value in usage.items() if isinstance(value, int)}
    texts = [(one["tokens"], one["logp"]) for one in line["result"]["completions"]]
    concluded = usage["concluded"] and {
        name: value for name, value in usage["concluded"].items() if isinstance(value, int)
    }
    return {"texts": texts, "answer": line["answer"], "concluded": concluded, **counts}


def run_few_shot(path, plan, n_first=None):
    """The outcome of each run by problem and method; with `n_first` the first lines only, to be resumed."""
    with RunFolder(path, plan.manifest()) as folder:
        for n, _ in enumerate(Evaluation(plan, folder), 1):
            if n == n_first:
                break
    lines = map(json.loads, (path / "results.jsonl").read_text().splitlines())
    return {(line["problem_id"], line["method"]): outcome(line) for line in lines}


def assert_same_however_it_is_run(folder, models, methods, examples=EXAMPLES, **settings):
    """Alone, in shards, in another order and resumed, each problem's runs come to the same; returns them."""

    def plan(order):
        return few_shot_plan(models, methods, order, examples, **settings)

    whole = run_few_shot(folder / "whole", plan((0, 1, 2)))
    assert run_few_shot(folder / "backwards", plan((2, 1, 0))) == whole
    assert run_few_shot(folder / "alone", plan((1,))) == _of(whole, ("p1",))
    assert run_few_shot(folder / "shard", plan((0, 2))) == _of(whole, ("p0", "p2"))
    n_first = len(methods) + 1
    assert len(run_few_shot(folder / "resumed", plan((0, 1, 2)), n_first)) == n_first
    assert run_few_shot(folder / "resumed", plan((0, 1, 2))) == whole
    return whole


def _of(outcomes, problems):
    return {key: value for key, value in outcomes.items() if key[0] in problems}


def solved_texts(model, problem, method, examples=EXAMPLES, **settings):
    """The tokens and log-probabilities of the same run by `solve`."""
    spec = parse_method(method)
    seed = seed_of(Key("t", f"p{problem}", "any", spec.label, 0))
    own = Settings(n_predict=12, n_threads=1, examples=examples, seed=seed, select=spec.select)
    with start(
        model,
        QUESTIONS[problem],
        method=model.method(spec.name, **spec.options),
        settings=replace(own, **settings),
    ) as solving:
        for _ in solving:
            pass
        result, endings = solving.result(), solving.endings()
    return [
        (ending.tokens.tolist(), one.logp) for ending, one in zip(endings, result.completions, strict=True)
    ]
