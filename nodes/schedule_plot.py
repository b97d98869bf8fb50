"""The schedule as a picture: noise level at each step, and the densities NT-Matching compares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw

from ..ralu_core.plans import Plan, matching_numbers, nt_matching
from ..ralu_core.plans.text import count_of_steps

SIZE = (1040, 420)
BACKGROUND, INK, FAINT = (24, 26, 31), (222, 226, 234), (70, 75, 86)
# One for each stage in turn, as in web/ralu.css.
STAGE_COLOURS = ((92, 169, 255), (255, 184, 77), (120, 214, 140), (205, 140, 255))
TARGET_COLOUR = (235, 110, 130)
MARGIN = 44


class Panel:
    """A rectangle of the picture with linear axes."""

    def __init__(self, draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], top: float):
        self.draw, self.box, self.top = draw, box, top
        draw.rectangle(box, outline=FAINT)

    def point(self, x: float, y: float) -> tuple[float, float]:
        """x in [0, 1] from the left, y in [0, top] from the bottom."""
        left, upper, right, lower = self.box
        return left + x * (right - left), lower - y / self.top * (lower - upper)

    def line(self, xs: Sequence[float], ys: Sequence[float], colour: tuple) -> None:
        points = [self.point(x, y) for x, y in zip(xs, ys, strict=True)]
        self.draw.line(points, fill=colour, width=2)

    def label(self, text: str, x: float, y: float, colour: tuple = INK) -> None:
        self.draw.text(self.point(x, y), text, fill=colour, font_size=15)


def plot_plan(plan: Plan) -> torch.Tensor:
    """IMAGE (1, height, width, 3) in [0, 1]."""
    image = Image.new("RGB", SIZE, BACKGROUND)
    draw = ImageDraw.Draw(image)
    middle = SIZE[0] // 2
    lower = SIZE[1] - MARGIN
    _plot_sigmas(Panel(draw, (MARGIN, MARGIN, middle - 16, lower), 1.0), plan)
    numbers = matching_numbers(plan)
    if numbers is not None:
        _plot_densities(draw, (middle + 28, MARGIN, SIZE[0] - 16, lower), numbers)
    return torch.from_numpy(np.asarray(image, dtype=np.float32) / 255)[None]


def _plot_sigmas(panel: Panel, plan: Plan) -> None:
    done = 0
    colours = [STAGE_COLOURS[k % len(STAGE_COLOURS)] for k in range(len(plan.stages))]
    for stage, colour in zip(plan.stages, colours, strict=True):
        xs = [(done + i) / plan.total_steps for i in range(len(stage.sigmas))]
        panel.line(xs, stage.sigmas, colour)
        for x, sigma in zip(xs, stage.sigmas, strict=True):
            cx, cy = panel.point(x, sigma)
            panel.draw.ellipse((cx - 3, cy - 3, cx + 3, cy + 3), fill=colour)
        done += stage.steps
    panel.label("sigma (1 = noise) at each step", 0.0, 1.09)
    top = 0.02 + 0.08 * len(plan.stages)
    for k, (stage, colour) in enumerate(zip(plan.stages, colours, strict=True)):
        panel.label(
            f"stage {stage.number}: {count_of_steps(stage.steps)}", 0.02, top - 0.08 * k, colour
        )
    panel.label("0", -0.03, 0.04)
    panel.label("1", -0.03, 1.02)


def _plot_densities(
    draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], numbers: tuple
) -> None:
    times, actual, target = nt_matching.densities(*numbers)
    panel = Panel(draw, box, 1.1 * float(max(actual.max(), target.max())))
    panel.line(times.tolist(), target.tolist(), TARGET_COLOUR)
    panel.line(times.tolist(), actual.tolist(), STAGE_COLOURS[0])
    distance = nt_matching.js_distance(*numbers)
    panel.label("how often each time t = 1 - sigma is visited", 0.0, 1.09 * panel.top)
    panel.label("P(t), all stages", 0.55, 0.95 * panel.top, STAGE_COLOURS[0])
    panel.label("target", 0.55, 0.87 * panel.top, TARGET_COLOUR)
    panel.label(f"JS distance {distance:.4f}", 0.55, 0.79 * panel.top)
