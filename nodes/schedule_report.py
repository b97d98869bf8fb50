"""A schedule in words: what was solved, what each stage costs, what speed-up to expect."""

from __future__ import annotations

from typing import Any

from ..ralu_core import nt_matching
from ..ralu_core.cost import CallCost
from ..ralu_core.presets import Preset
from ..ralu_core.schedule import StageSchedule
from .host.canvas import Canvas
from .host.gate import ModelFacts

CURVE_STRIDE = 4  # of the 1000 times; a plot on a node is about 150 pixels wide


def schedule_values(
    schedule: StageSchedule, preset: Preset, facts: ModelFacts, canvas: Canvas
) -> dict[str, Any]:
    """Plain JSON values, for the plot on the canvas."""
    rows, columns = (2 * n for n in canvas.grid)
    solved = (schedule.steps, schedule.end_sigmas, schedule.model_shift, schedule.shifts)
    times, actual, target = nt_matching.densities(*solved, schedule.z)
    cost = CallCost(facts.blocks, facts.width, facts.text_tokens)
    return {
        "steps": list(schedule.steps),
        "sigmas": [schedule.sigmas(k) for k in range(3)],
        "width": canvas.width * 8,
        "height": canvas.height * 8,
        "tokens": list(schedule.tokens(rows, columns)),
        "model_shift": schedule.model_shift,
        "shifts": list(schedule.shifts),
        "z": schedule.z,
        "c": schedule.c,
        "js_distance": nt_matching.js_distance(*solved, schedule.z),
        "times": times[::CURVE_STRIDE].tolist(),
        "actual": actual[::CURVE_STRIDE].tolist(),
        "target": target[::CURVE_STRIDE].tolist(),
        "plain_steps": preset.baseline_steps,
        "speed_up": cost.speed_up(schedule, rows, columns, preset.baseline_steps),
    }


def schedule_report(
    schedule: StageSchedule, preset: Preset, facts: ModelFacts, canvas: Canvas
) -> str:
    """Several lines of text for the report output and the log."""
    rows, columns = (2 * n for n in canvas.grid)
    tokens = schedule.tokens(rows, columns)
    distance = nt_matching.js_distance(
        schedule.steps, schedule.end_sigmas, schedule.model_shift, schedule.shifts, schedule.z
    )
    cost = CallCost(facts.blocks, facts.width, facts.text_tokens)
    speed_up = cost.speed_up(schedule, rows, columns, preset.baseline_steps)
    lines = [
        f"{preset.name}: {schedule.total_steps} steps, early regions {schedule.ratio:.0%}",
        f"model shift {schedule.model_shift:.4g}, JS distance {distance:.4f}, "
        f"z {schedule.z:.4g}, c {schedule.c:.4g}",
    ]
    for k, count in enumerate(tokens):
        lines.append(
            f"stage {k + 1}: {schedule.steps[k]} steps, sigma {schedule.start_sigmas[k]:.4f} to "
            f"{schedule.end_sigmas[k]:.4f}, shift {schedule.shifts[k]:.4g}, {count} tokens"
        )
    lines.append(
        f"predicted at {canvas.width * 8}x{canvas.height * 8}: {speed_up:.2f}x fewer model FLOPs "
        f"than {preset.baseline_steps} plain steps"
    )
    if preset.published_shifts is not None and preset.published_z is not None:
        shifts = ", ".join(f"{h:g}" for h in preset.published_shifts)
        lines.append(
            f"published for shift 3: shifts {shifts}, z {preset.published_z:.4g}, "
            f"c {preset.published_z**-2:.4g}"
        )
    return "\n".join(lines)
