"""Load a model, solve a problem, print the answer.

    python three_lines.py

Without a path, `load` takes the small model that is installed with localsmc. It knows
generated arithmetic problems only. Use your own by path or name:
`localsmc.load("model.gguf")`.
"""

import localsmc

with localsmc.load() as model:
    result = localsmc.solve(model, "What is 17 * 23?", settings=localsmc.Settings(seed=1))
    print(result.answer)
