"""Made-up run folders in the format of `localsmc eval`, with random answers and short completions."""

from __future__ import annotations

import json

import numpy as np

METHODS = {
    "sample": ("sample", 1, 0.30, "draw"),
    "greedy": ("greedy", 1, 0.40, "draw"),
    "power-smc:N=16,alpha=4,select=majority": ("power-smc", 16, 0.70, "majority"),
}
MODELS = {"tiny-F16": 0.0, "tiny-Q4_K_M": -0.08}
FAMILIES = ("shopping", "trains", "arithmetic", "ages")


def manifest(*, n_problems=40, methods=METHODS, models=MODELS, seeds=(0, 1), task="tiny"):
    return {
        "format": 1,
        "version": "0.1.0",
        "tasks": [{"name": task, "version": 1, "source": "made up", "n_problems": n_problems}],
        "models": [
            {
                "name": name,
                "path": f"/models/{name}.gguf",
                "sha256": name.encode().hex(),
                "params": 4131584,
                "quantization": name.split("-")[-1],
                "bytes": 8_300_000,
            }
            for name in models
        ],
        "methods": [
            {"label": label, "name": name, "config": {"particles": n, "select": select}}
            for label, (name, n, _, select) in methods.items()
        ],
        "seeds": list(seeds),
        "settings": {"n_predict": 256},
        "machine": {"system": "Linux x86_64"},
    }


def completion(answer, steps, weight, count, finish="stop"):
    """A worked solution with one token per word, so that solutions with the same first steps share tokens."""
    text = "\n".join([*steps, f"Answer: \\boxed{{{answer}}}" if answer is not None else "and so"])
    words = text.replace("\n", " \n ").split(" ")
    return {
        "text": text,
        "answer": answer,
        "logp": -3.5 - len(words) / 10,
        "weight": weight,
        "n_tokens": len(words),
        "finish_reason": finish,
        "count": count,
        "tokens": [sum(map(ord, word)) for word in words],
    }


def completions(rng, gold, p_right, n):
    """Up to six distinct weighted completions for n particles; the last may be truncated."""
    n_distinct = min(n, int(rng.integers(1, 7)))
    counts = rng.multinomial(n - n_distinct, np.full(n_distinct, 1 / n_distinct)) + 1
    weights = counts * rng.gamma(1.0, size=n_distinct)
    found = []
    for k in range(n_distinct):
        is_cut = bool(rng.random() < 0.04)
        answer = str(gold if rng.random() < p_right else gold + int(rng.integers(1, 4)))
        steps = ["First 3 * 12 = 36", f"then 4 * 5 = {rng.integers(20, 22)}", f"so 36 + 20 = {answer}"]
        steps = steps[: int(rng.integers(1, 4))]
        finish = "length" if is_cut else "stop"
        weight = float(weights[k] / weights.sum())
        found.append(completion(None if is_cut else answer, steps, weight, int(counts[k]), finish))
    return sorted(found, key=lambda one: -one["weight"])


def shares(found):
    answers = {}
    for one in found:
        weight, count = answers.get(one["answer"], (0.0, 0))
        answers[one["answer"]] = weight + one["weight"], count + one["count"]
    rows = [{"answer": a, "weight": w, "count": c} for a, (w, c) in answers.items()]
    return sorted(rows, key=lambda share: -share["weight"])


def usage(rng, found, n):
    tokens, steps = sum(one["n_tokens"] for one in found), max(one["n_tokens"] for one in found)
    seconds = 0.01 * steps * (1 + n / 16)
    return {
        "prompt_tokens": 20,
        "completion_tokens": tokens,
        "steps": steps,
        "rows": tokens + int(rng.integers(0, 5)),
        "decode_calls": steps,
        "resamples": int(n > 1),
        "reductions": 0,
        **dict.fromkeys(("proposals", "accepted", "swap_proposals", "swaps"), 0),
        "forks": len(found) - 1,
        "peak_rows": len(found),
        "peak_cells": 100,
        "flops": 8.3e6 * (tokens + 20),
        "draft": None,
        "seconds": {"load": 5.0, "prompt": 0.1, "decode": seconds, "sample": 0.01, "total": 5.11 + seconds},
    }


def drafted(one, **counts):
    """The same result line for a method with two models."""
    nothing = ("prompt_tokens", "rows", "decode_calls", "drafted", "kept", "rated", "rewritten", "wasted")
    draft = {**dict.fromkeys(nothing, 0), "seconds": 0.0, **counts}
    result = one["result"]
    usage = {**result["usage"], "draft": draft}
    # Completions that the target did not evaluate have no log-probability.
    completions = [{**each, "logp": None} for each in result["completions"]]
    return {**one, "result": {**result, "usage": usage, "completions": completions}}


def line(rng, problem, label, model, seed, *, methods=METHODS, models=MODELS, is_graded=True, task="tiny"):
    name, n, p_right, select = methods[label]
    gold = 40 + problem
    found = completions(rng, gold, p_right + models[model] - 0.1 * (problem % 3), n)
    answers = shares(found)
    heaviest = [share for share in answers if share["answer"] is not None]
    answer = heaviest[0]["answer"] if heaviest else None
    verdicts = {share["answer"]: "right" if share["answer"] == str(gold) else "wrong" for share in heaviest}
    verdict = verdicts[answer] if answer is not None else "truncated"
    steps = max(one["n_tokens"] for one in found)
    ess = (n * (0.4 + 0.6 * rng.random(steps))).round(3).tolist()
    result = {
        "answer": answer,
        "text": found[0]["text"],
        "method": {"name": name, "config": {"particles": n, "select": select}},
        "model": {"name": model},
        "seed": seed,
        "answers": answers,
        "completions": found,
        "log_z": -5.0 if n > 1 else None,
        "ess": float(n),
        "confidence": "high" if n > 1 else None,
        "usage": usage(rng, found, n),
    }
    return {
        "task": task,
        "problem_id": f"{task}/held-out/{problem}",
        "family": FAMILIES[problem % len(FAMILIES)],
        "level": 1 + problem % 3,
        "model": model,
        "method": label,
        "seed": seed,
        "question": f"Ada buys 3 pens at 12 coins each and {problem} books. How many coins is that?",
        "gold": str(gold) if is_graded else None,
        "answer": answer,
        "correct": verdict == "right" if is_graded else None,
        "verdict": verdict if is_graded else "ungraded",
        "error": None,
        "verdicts": verdicts if is_graded else {},
        "result": result,
        "steps": {"ess": ess, "histories": [len(found)] * steps, "rows": [len(found)] * steps},
    }


def failed(one, error="the prompt leaves no room for a single token"):
    """The same result line for a failed run."""
    nothing = {"answer": None, "correct": None, "verdicts": {}, "result": None, "steps": None}
    return {**one, **nothing, "verdict": "failed", "error": error}


def lines(*, n_problems=40, methods=METHODS, models=MODELS, seeds=(0, 1), is_graded=True, task="tiny"):
    rng = np.random.default_rng(7)
    return [
        line(rng, problem, label, model, seed, methods=methods, models=models, is_graded=is_graded, task=task)
        for model in models
        for problem in range(n_problems)
        for seed in seeds
        for label in methods
    ]


def write(folder, made=None, about=None, **shape):
    """Write a run folder with the lines `made`, or with lines generated from `shape`."""
    folder.mkdir(parents=True)
    options = {name: value for name, value in shape.items() if name != "is_graded"}
    (folder / "manifest.json").write_text(json.dumps(about or manifest(**options)))
    text = "".join(json.dumps(one) + "\n" for one in (lines(**shape) if made is None else made))
    (folder / "results.jsonl").write_text(text)
    return folder
