"""The sentences that ask a model to state its answer where it can be found."""

BOXED = "Reason step by step, and put your final answer within \\boxed{}."
"""The usual one of benchmarks in mathematics; models trained on such problems follow it."""

NEUTRAL = 'Work it out step by step, and end with "The answer is" and the final answer.'
"""For problems of any kind; a small model follows it more often (docs/results/instructions.md)."""
