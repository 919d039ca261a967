"""Read the results of `localsmc eval`: accuracy per method, with a 95 % interval.

    python read_run_folder.py run     # a folder that `localsmc eval -o run` has written
    python read_run_folder.py         # first runs 10 problems into a temporary folder

`results.jsonl` in the folder has one line of JSON per problem, model, method and seed.
`localsmc report run` prints the same figures and many more; start here for figures of your
own.
"""

import json
import math
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path


def wilson(n_right: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval for a share; for one seed, as seeds are not independent."""
    center = n_right / n + z**2 / (2 * n)
    width = z * math.sqrt(n_right * (n - n_right) / n**3 + (z / (2 * n)) ** 2)
    return (center - width) / (1 + z**2 / n), (center + width) / (1 + z**2 / n)


def run_into(folder: Path) -> None:
    """Like `localsmc eval --task tiny --limit 10 ... -o FOLDER`, typed in a terminal."""
    methods = ["--method", "sample", "--method", "power-smc"]
    arguments = [
        "eval",
        "--task",
        "tiny",
        "--limit",
        "10",
        *methods,
        "-o",
        str(folder),
        "-q",
    ]
    command = [sys.executable, "-m", "localsmc_cli.main", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def print_accuracy(folder: Path) -> None:
    right = defaultdict(list)
    for text in (folder / "results.jsonl").read_text().splitlines():
        line = json.loads(text)
        # `correct` is null where nothing could be graded; `verdict` says why.
        right[line["model"], line["method"]].append(line["correct"] is True)
    for (model, method), values in right.items():
        low, high = wilson(sum(values), len(values))
        share = sum(values) / len(values)
        interval = f"95 % interval {low:.0%} to {high:.0%}"
        print(f"{model}, {method}: {share:.0%} of {len(values)} right ({interval})")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print_accuracy(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            run_into(Path(temporary) / "run")
            print_accuracy(Path(temporary) / "run")
