"""A plan as plain JSON values, for the plot in the browser."""

from __future__ import annotations

from typing import Any

from ..ralu_core.plans import matching_numbers, nt_matching
from ..ralu_core.plans.text import PlanFacts

CURVE_STRIDE = 4  # of the 1000 times; a plot on a node is about 150 pixels wide


def schedule_values(told: PlanFacts) -> dict[str, Any]:
    """What the browser draws. All keys:

    name         of the plan.
    stages       in order, each with `number` (from 1), `words` (half size, ...), `steps`, `tokens`
                 of one picture, `shift` (None where its levels follow none) and `sigmas` (one more
                 than steps).
    width, height
                 the picture in pixels.
    speed_up, plain_steps
                 how many times fewer FLOPs than so many plain steps: the user's own, or those that
                 the plan is published against.
    published_speed_up, published_steps
                 the latter, where the user has steps of their own beside; else None.
    saving       the same as a sentence.
    model_shift  that the plan is for; None for any.
    matching     None where NT-Matching says nothing of the plan, else `z` and `c` = z**-2, the
                 `js_distance` of the densities `actual` and `target`, and the `times` of both.
    """
    plan, is_beside = told.plan, told.own_steps > 0 and told.is_published
    width, height = told.frame.picture[::-1]
    stages = [
        {
            "number": stage.number,
            "words": stage.grid.words,
            "steps": stage.steps,
            "tokens": tokens,
            "shift": stage.shift,
            "sigmas": list(stage.sigmas),
        }
        for stage, tokens in zip(plan.stages, told.tokens, strict=True)
    ]
    return {
        "name": plan.name,
        "stages": stages,
        "width": width,
        "height": height,
        "model_shift": plan.model_shift,
        "plain_steps": told.own_steps or told.baseline_steps,
        "speed_up": told.own_speed_up or told.speed_up,
        "published_steps": told.baseline_steps if is_beside else None,
        "published_speed_up": told.speed_up if is_beside else None,
        "saving": told.saving,
        "matching": _matching(told),
    }


def _matching(told: PlanFacts) -> dict[str, Any] | None:
    numbers = matching_numbers(told.plan)
    if numbers is None or told.z is None:
        return None
    times, actual, target = nt_matching.densities(*numbers)
    return {
        "z": told.z,
        "c": told.z**-2,
        "js_distance": told.js_distance,
        "times": times[::CURVE_STRIDE].tolist(),
        "actual": actual[::CURVE_STRIDE].tolist(),
        "target": target[::CURVE_STRIDE].tolist(),
    }
