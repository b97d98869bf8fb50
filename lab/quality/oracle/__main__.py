"""Search schedules for a budget: python -m lab.quality.oracle --budget 6."""

from __future__ import annotations

import argparse

from lab.quality import oracle
from lab.quality.oracle.search import Found, best_plain, best_two_sizes, cost_in_calls, half_call
from ralu_core.plans import named_plan, names

HEAD = "| plan | calls | loss | variance by band / kept of half size |\n|---|---|---|---|"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", type=float, default=6.0, help="in full-size calls")
    parser.add_argument("--shift", type=float, default=3.158, help="of the model")
    parser.add_argument("--shown", type=int, default=4, help="plans of two sizes")
    options = parser.parse_args()
    print(
        f"Gaussian of FLUX's spectrum, 1024 pixels; a half-size call of FLUX.1-dev costs "
        f"{half_call():.3f} of a full-size one. Loss: mean divergence of the bands, in nats.\n"
    )
    print(HEAD)
    for order in (1, 2):
        print(_line(best_plain(options.budget, options.shift, order)))
    for found in best_two_sizes(options.budget, options.shift)[: options.shown]:
        print(_line(found))
    print(f"\nPlans as they are\n\n{HEAD}")
    for name in names():
        plan = named_plan(name, options.shift)
        calls = cost_in_calls(plan)
        try:
            print(_line(Found(name, plan, calls, oracle.run(plan))))
        except ValueError:
            print(f"| {name} | {calls:.2f} | - | the oracle does not know its crossing |")


def _line(found: Found) -> str:
    outcome = found.outcome
    words = f"{found.words} | {found.calls:.2f} | {outcome.loss:.4f}"
    return f"| {words} | {oracle.describe(outcome)} |"


if __name__ == "__main__":
    main()
