"""Particles as a prefix tree: final histories by common prefixes, or a trace with its dead branches.

A node is a dictionary with short keys, since a page has thousands of nodes: `t` text of the edge to it,
`n` number of its tokens, `w` weight, `c` particles, `k` children, `s` last step seen (in traces), `d` 1 if
it died out; a leaf has its answer `a`, verdict `v` (or `refusal`) and finish reason `f`, and its
log-probability `p` if it is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from os.path import commonprefix
from typing import Any

from localsmc.evals.result_records import History, ResultRecord
from localsmc.report.trace_file import Node, RecordedTrace
from localsmc.text import answers, refusal

Tree = dict[str, Any]

MOST_LEAVES = 1000
MOST_TRACED = 300
"""Maximum number of leaves; the lightest ones are left out."""


# --- final histories ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Leaf:
    tokens: list[int]
    text: str
    tree: Tree


def prefix_tree(line: ResultRecord) -> tuple[Tree, int]:
    """The tree of a line's final histories, and the number of histories left out.

    Branches are determined by tokens. Text is known only for whole histories, so an edge carries the
    common text prefix of all histories below it.
    """
    histories = sorted(line.drawn.histories if line.drawn else (), key=lambda one: -one.completion.weight)
    leaves = [_leaf(line, history) for history in histories[:MOST_LEAVES]]
    return _branch(leaves, 0, 0), len(histories) - len(leaves)


def _leaf(line: ResultRecord, history: History) -> _Leaf:
    one = history.completion
    # Without token ids, branch by characters.
    tokens = history.tokens.tolist() if history.tokens.size else [ord(c) for c in one.text]
    tree: Tree = {
        "w": round(one.weight, 5),
        "c": one.count,
        "a": one.answer,
        "v": refusal.NAME if one.is_refused else line.verdict_of_completion(one),
        "f": one.finish_reason,
    }
    if one.logp is not None:
        tree["p"] = round(one.logp, 3)
    return _Leaf(tokens, one.text, tree)


def _branch(leaves: Sequence[_Leaf], n_tokens: int, n_text: int) -> Tree:
    """The node above these leaves; its ancestors cover `n_tokens` tokens and `n_text` characters."""
    if len(leaves) == 1:
        (leaf,) = leaves
        return {"t": leaf.text[n_text:], "n": len(leaf.tokens) - n_tokens, **leaf.tree}
    tokens_end = len(commonprefix([leaf.tokens for leaf in leaves]))
    text_end = max(n_text, len(commonprefix([leaf.text for leaf in leaves])))
    parts: dict[int, list[_Leaf]] = {}
    for i, leaf in enumerate(leaves):
        # A history that ends here is a separate child.
        is_over = len(leaf.tokens) == tokens_end
        parts.setdefault(-1 - i if is_over else leaf.tokens[tokens_end], []).append(leaf)
    children = [_branch(part, tokens_end, text_end) for part in parts.values()]
    return {
        "t": leaves[0].text[n_text:text_end] if leaves else "",
        "n": tokens_end - n_tokens,
        "w": round(sum(child["w"] for child in children), 5),
        "c": sum(child["c"] for child in children),
        "k": children,
    }


# --- traces ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Grown:
    """A token of a trace, its children, and its state when it was last seen."""

    seen: Node
    step: int
    children: list[_Grown] = field(default_factory=list)
    is_alive: bool = False

    @property
    def weight(self) -> float:
        return self.seen.weight


def trace_tree(trace: RecordedTrace) -> tuple[Tree, int]:
    """The genealogy of a trace with dead branches, and the number of dead leaves left out."""
    grown, roots = _grown(trace)
    dead = [one for one in grown.values() if not one.children and not one.is_alive]
    n_alive = sum(not one.children and one.is_alive for one in grown.values())
    room = max(0, MOST_TRACED - n_alive)
    dropped = sorted(dead, key=lambda one: -one.weight)[room:]
    gone = {id(one) for one in dropped}
    children = [_edge(root, gone) for root in roots if id(root) not in gone]
    tree: Tree = {"t": "", "n": 0, "w": 1, "c": trace.particles, "k": children}
    _answer(tree, "")
    return tree, len(dropped)


def _answer(tree: Tree, before: str) -> None:
    """Add the answers to the leaves that are alive."""
    text = before + tree["t"]
    for child in tree.get("k", ()):
        _answer(child, text)
    if "k" not in tree and "d" not in tree:
        tree["a"] = answers.extract(text)


def _grown(trace: RecordedTrace) -> tuple[dict[tuple[int, int], _Grown], list[_Grown]]:
    """All tokens by wave and node, and the tokens directly after the prompt."""
    grown: dict[tuple[int, int], _Grown] = {}
    roots: list[_Grown] = []
    last: dict[int, tuple[Node, ...]] = {}
    for step in trace.steps:
        for node in step.population:
            key = node.wave, node.node
            if key in grown:
                grown[key].seen, grown[key].step = node, step.step
                continue
            grown[key] = _Grown(node, step.step)
            parent = grown.get((node.wave, node.parent))
            (roots if parent is None else parent.children).append(grown[key])
        if step.population:
            last[step.population[0].wave] = step.population
    for population in last.values():
        for node in population:
            grown[node.wave, node.node].is_alive = True
    # Children come after their parents: going backwards propagates `is_alive` upwards.
    for one in reversed(grown.values()):
        one.is_alive = one.is_alive or any(child.is_alive for child in one.children)
    return grown, roots


def _edge(top: _Grown, gone: set[int]) -> Tree:
    """The node at the end of an unbranched sequence of tokens."""
    pieces, end = [top.seen.piece], top
    while len(children := _children(end, gone)) == 1:
        end = children[0]
        pieces.append(end.seen.piece)
    tree: Tree = {
        "t": "".join(pieces),
        "n": len(pieces),
        "w": round(end.seen.weight, 5),
        "c": end.seen.count,
        "s": end.step,
    }
    if not end.is_alive:
        tree["d"] = 1
    if children:
        tree["k"] = [_edge(child, gone) for child in children]
    else:
        tree["f"] = end.seen.state if end.is_alive else "died"
    return tree


def _children(one: _Grown, gone: set[int]) -> list[_Grown]:
    return [child for child in one.children if id(child) not in gone]
