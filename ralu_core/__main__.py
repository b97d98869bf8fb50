"""Print a plan: `python -m ralu_core "FLUX 7x" --shift 3.16 --size 1024`."""

from __future__ import annotations

import argparse
import sys

from .cost import CallCost
from .latents.checks import MAX_STEPS
from .latents.frame import Frame
from .plans import named_plan, names
from .plans.text import PlanFacts

FLUX_DEV = CallCost(blocks=57, width=3072, text_tokens=256)
DEV = "%(default)s, FLUX.1-dev's, where you say none"
PLAIN_STEPS = 20  # where a plan is published against none: a KSampler's


def main(arguments: list[str] | None = None) -> str:
    """The text of the plan that the arguments ask for. ValueError for a plan that cannot be."""
    parser = argparse.ArgumentParser(
        prog="python -m ralu_core",
        description=__doc__,
        epilog="\n  ".join(["plans:", *names()]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("plan", help="one of the plans below, by its whole name")
    parser.add_argument("--shift", type=float, help="h of the model; FLUX.1-dev has 3.158")
    parser.add_argument("--size", type=int, default=1024, help="pixels each way")
    parser.add_argument("--blocks", type=int, default=FLUX_DEV.blocks, help=f"of the model; {DEV}")
    parser.add_argument("--width", type=int, default=FLUX_DEV.width, help=f"of the model; {DEV}")
    parser.add_argument(
        "--text", type=int, default=FLUX_DEV.text_tokens, help=f"text tokens; {DEV}"
    )
    parser.add_argument("--steps", type=int, help="plain steps to compare with")
    parser.add_argument(
        "--guided",
        action="store_true",
        help="guidance takes a second call of the model, but in stages without guidance",
    )
    asked = parser.parse_args(arguments)
    plan = named_plan(asked.plan, asked.shift)
    frame = Frame.of_picture(asked.size, asked.size)
    cost = CallCost(asked.blocks, asked.width, asked.text)
    published = plan.baseline_steps or PLAIN_STEPS
    steps = published if asked.steps is None else asked.steps
    if not 1 <= steps <= MAX_STEPS:
        raise ValueError(
            f"--steps must lie between 1 and {MAX_STEPS}, got {steps}: for example 20."
        )
    speed_up = cost.speed_up(plan, *frame.fine_grid, steps, asked.guided)
    facts = PlanFacts(plan, frame, steps, speed_up)
    return "\n".join(facts.lines())


if __name__ == "__main__":
    try:
        print(main())
    except ValueError as error:
        sys.exit(str(error))
