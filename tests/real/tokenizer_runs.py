"""Try localsmc's tokenising on long runs of one kind of character, with every tokenizer of llama.cpp.

    python tests/real/tokenizer_runs.py FOLDER [NAME ...] [--characters N] [--seconds S] [--plainly]

FOLDER is that of `fetch_models.py`. Each tokenizer is tried in a child process, so that a crash is a line of
the table and not the end. With `--plainly`, llama.cpp is called on the main thread's stack, as a program
would that knows nothing of its recursion. Prints the table of docs/development/tokenizers.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import gguf

CARRIER = "ggml-vocab-gpt-2.gguf"
"""The BPE vocabulary that each name of a pre-tokenizer is written into."""

PRE_TOKENIZERS = (
    "default minicpm5 llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano"
    " deepseek-llm deepseek-coder deepseek-v3 spark2_5 youtu falcon mpt starcoder gpt-2 phi-2 jina-es jina-de"
    " gigachat jina-v2-es jina-v2-de a.x-4.0 mellum modern-bert jais-2 gemma4 granite-embed-multi-311m"
    " sarvam-moe jina-v1-en jina-v2-code roberta-bpe whitespace refact command-r qwen2 deepseek-r1-qwen kormo"
    " f2llmv2 qwen35 stablelm2 olmo dbrx smaug-bpe poro-chat chatglm-bpe glm4 glm5 viking jais tekken smollm"
    " codeshell bloom gpt3-finnish exaone exaone4 exaone-moe chameleon minerva-7b megrez gpt-4o llama4"
    " kanana2 talkie granite-embed-multi-97m tiny_aya cohere2moe superbpe trillion granite-docling bailingmoe"
    " bailingmoe2 llada-moe seed-coder hunyuan hunyuan-dense hy_v4 joyai-llm kimi-k2 ufakzeka grok-2 afmoe"
    " laguna minimax-m2 solar-open mellum2"
).split()
"""The names that src/llama-vocab.cpp of llama-cpp-python 0.3.36 knows as `tokenizer.ggml.pre`."""

BYTES_ONLY = {"rwkv": "rwkv", "plamo2": "plamo2"}
"""Tokenizers without a vocabulary at hand: a table of the 256 bytes is written for them."""

KINDS = {
    "letters": "a",
    "blanks": " ",
    "dots": ".",
    "digits": "7",
    "emoji": "\U0001f600",
    "newlines": "\n",
    "CRLF": "\r\n",
    "Han": "中",
    "letters and blanks": "a ",
    "blanks, then Han": None,
}
"""What a text repeats; the last one makes a regular expression give up at every blank."""


def text_of(kind: str, n: int) -> str:
    """A text of n characters."""
    repeated = KINDS[kind]
    return " " * (n - 1) + "中" if repeated is None else (repeated * n)[:n]


def say(line: str) -> None:
    """Write a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


# --- vocabularies ---


def with_pre_tokenizer(carrier: Path, name: str, target: Path) -> Path:
    """Copy a vocabulary without tensors under another pre-tokenizer."""
    data = carrier.read_bytes()
    begin, end = _string(data, gguf.Keys.Tokenizer.PRE)
    target.write_bytes(data[: begin - 8] + len(name).to_bytes(8, "little") + name.encode() + data[end:])
    return target


def _string(data: bytes, name: str) -> tuple[int, int]:
    """Where the value of a key with a string begins and ends."""
    key = name.encode()
    begin = data.index(len(key).to_bytes(8, "little") + key) + 8 + len(key) + 4 + 8
    return begin, begin + int.from_bytes(data[begin - 8 : begin], "little")


def of_bytes(model: str, target: Path) -> Path:
    """A vocabulary of an unknown token, the 256 bytes and two control tokens."""
    spelled = [f"\\x{byte:02x}" if model == "rwkv" else f"<0x{byte:02X}>" for byte in range(256)]
    writer = gguf.GGUFWriter(target, "llama")
    writer.add_tokenizer_model(model)
    writer.add_token_list(["<unk>", *spelled, "<s>", "</s>"])
    writer.add_token_scores([0.0] * 259)
    kinds = gguf.TokenType
    middle = kinds.NORMAL if model == "rwkv" else kinds.BYTE
    writer.add_token_types([kinds.UNKNOWN, *[middle] * 256, kinds.CONTROL, kinds.CONTROL])
    writer.add_bos_token_id(257)
    writer.add_eos_token_id(258)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return target


def vocabulary(folder: Path, name: str, scratch: Path) -> Path:
    """The file of a tokenizer: a pre-tokenizer's name, a name of `BYTES_ONLY`, or a file in the folder."""
    target = scratch / f"{name}.gguf"
    if name in BYTES_ONLY:
        return of_bytes(BYTES_ONLY[name], target)
    if name in PRE_TOKENIZERS:
        return with_pre_tokenizer(folder / "vocabs" / CARRIER, name, target)
    return next(path for path in (folder / name, folder / "vocabs" / name) if path.exists())


def names(folder: Path) -> list[str]:
    """All tokenizers: the names, and the files of other kinds than BPE."""
    files = (*sorted(folder.glob("vocabs/*.gguf")), *sorted(folder.glob("*.gguf")))
    return [*PRE_TOKENIZERS, *BYTES_ONLY, *(path.name for path in files if not _is_bpe(path))]


def _is_bpe(path: Path) -> bool:
    data = path.read_bytes()
    begin, end = _string(data, gguf.Keys.Tokenizer.MODEL)
    return data[begin:end] == b"gpt2"


# --- the child ---


def serve(path: Path, kinds: list[str], n: int, seconds: float, is_plain: bool) -> None:
    """Tokenise each kind of text; print one line of JSON before and one after it."""
    from localsmc.errors import LocalSMCError
    from localsmc.llama import tokenization
    from localsmc.llama.binding import C

    tokenization.SECONDS = seconds
    if is_plain:
        tokenization.SHORT = n
    params = C.llama_model_default_params()
    params.vocab_only = True
    model = C.llama_model_load_from_file(str(path).encode(), params)
    if not model:
        sys.exit("llama.cpp cannot load this vocabulary")
    vocab, tokenizer = C.llama_model_get_vocab(model), tokenization.Tokenizer()
    for kind in kinds:
        say(json.dumps({"kind": kind}))
        began = time.perf_counter()
        try:
            outcome = f"{len(tokenizer.tokenize(vocab, text_of(kind, n), special=False)):,} tokens"
        except LocalSMCError as error:
            outcome = f"refused: {error}"
        done = {"kind": kind, "outcome": outcome, "seconds": time.perf_counter() - began}
        say(json.dumps(done))
        if tokenizer.is_busy:  # the next one would be measured beside it
            sys.exit(0)


# --- the parent ---


def tries(path: Path, options: list[str]) -> Iterator[dict]:
    """The outcome of each kind of text: its child's last line, or how the child died."""
    left = list(KINDS)
    while left:
        command = [sys.executable, __file__, "--serve", str(path), *options, "--kinds", *left]
        child = subprocess.run(command, capture_output=True, text=True)
        lines = [json.loads(line) for line in child.stdout.splitlines()]
        done = [line for line in lines if "outcome" in line]
        yield from done
        left = left[len(done) :]
        if lines and "outcome" not in lines[-1]:
            yield {"kind": left.pop(0), "outcome": f"killed by signal {-child.returncode}", "seconds": 0.0}
        elif not lines:
            yield {"kind": "", "outcome": (child.stderr.splitlines() or ["no reply"])[-1], "seconds": 0.0}
            return


def row(name: str, found: list[dict]) -> str:
    """A line of the table: how many texts became tokens, the slowest, and what happened to the others."""
    passed = [one for one in found if one["outcome"].endswith("tokens")]
    slowest = max(passed, key=lambda one: one["seconds"], default=None)
    longest = "" if slowest is None else f"{slowest['seconds']:.2f} s ({slowest['kind']})"
    others = "; ".join(f"{one['kind']}: {one['outcome']}" for one in found if one not in passed)
    return f"| {name} | {len(passed)} of {len(KINDS)} | {longest} | {others} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--characters", type=int, default=60_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--plainly", action="store_true")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--kinds", nargs="*", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.folder, given.kinds, given.characters, given.seconds, given.plainly)
        return
    options = ["--characters", str(given.characters), "--seconds", str(given.seconds)]
    options += ["--plainly"] if given.plainly else []
    say("| tokenizer | tokenised | slowest | others |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for name in given.names or names(given.folder):
            path = vocabulary(given.folder, name, Path(scratch))
            say(row(name, list(tries(path, options))))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
