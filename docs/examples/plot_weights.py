"""Plot what happens to the particles of a run, step by step.

    python plot_weights.py "What is 17 * 23?"       # writes weights.png

Above: the effective sample size (ESS), and the steps at which particles are resampled.
Below: how the weight is spread over the distinct histories, the heaviest at the bottom. In
a notebook, paste the body of `main` into a cell.
Needs matplotlib: pip install matplotlib
"""

import sys

import localsmc

try:
    import matplotlib

    matplotlib.use("Agg")  # draw into a file; leave this line out in a notebook
    from matplotlib import pyplot as plt
except ImportError:
    sys.exit("This example needs matplotlib: pip install matplotlib")

PROBLEM = "Gita and Lea share 135 apples in the ratio 1:8. How many does Lea get?"


def main(problem: str) -> None:
    steps, weights = [], []
    with localsmc.load() as model:
        # With systematic resampling the ESS falls until particles are resampled.
        method = model.method(
            "power-smc", particles=64, resampling="systematic", ess_threshold=0.7
        )
        settings = localsmc.Settings(seed=1)
        with localsmc.start(model, problem, method=method, settings=settings) as solving:
            for step in solving:
                steps.append(step)
                population = solving.population()
                weights.append(
                    sorted((history.weight for history in population), reverse=True)
                )
            answer = solving.result().answer

    numbers = [step.step for step in steps]
    resampled = [step for step in steps if step.resampled]
    most = max(map(len, weights))
    layers = zip(*(row + [0.0] * (most - len(row)) for row in weights), strict=True)
    _, (above, below) = plt.subplots(2, sharex=True, figsize=(8, 6), layout="constrained")
    above.plot(numbers, [step.ess for step in steps], label="ESS, before resampling")
    at = [step.step for step in resampled]
    above.plot(at, [step.ess for step in resampled], "v", label="resampled here")
    above.set(
        title=f"{problem} {answer}", ylabel=f"ESS of {method.particles}", ylim=(0, None)
    )
    above.legend()
    below.stackplot(numbers, *layers, step="post", edgecolor="white", linewidth=0.4)
    below.set(xlabel="step", ylabel="share of the weight", ylim=(0, 1))
    plt.savefig("weights.png", dpi=120)
    print(f"weights.png: {len(steps)} steps, {len(at)} with resampling; answer {answer}")


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]) or PROBLEM)
