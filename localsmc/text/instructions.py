"""The sentences that ask a model to state its answer where it can be found."""

BOXED = "Reason step by step, and put your final answer within \\boxed{}."
"""The usual one of benchmarks in mathematics; models trained on such problems follow it."""

NEUTRAL = 'Think step by step, and end with "Answer:" and the final answer.'
"""For problems of any kind; models that never saw a box follow it more often."""
