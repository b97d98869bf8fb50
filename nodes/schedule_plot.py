"""The schedule as a picture: noise level at each step, and the densities NT-Matching compares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw

from ..ralu_core import nt_matching
from ..ralu_core.schedule import StageSchedule

SIZE = (1040, 420)
BACKGROUND, INK, FAINT = (24, 26, 31), (222, 226, 234), (70, 75, 86)
STAGE_COLOURS = ((92, 169, 255), (255, 184, 77), (120, 214, 140))
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


def plot_schedule(schedule: StageSchedule) -> torch.Tensor:
    """IMAGE (1, height, width, 3) in [0, 1]."""
    image = Image.new("RGB", SIZE, BACKGROUND)
    draw = ImageDraw.Draw(image)
    middle = SIZE[0] // 2
    lower = SIZE[1] - MARGIN
    _plot_sigmas(Panel(draw, (MARGIN, MARGIN, middle - 16, lower), 1.0), schedule)
    _plot_densities(draw, (middle + 28, MARGIN, SIZE[0] - 16, lower), schedule)
    return torch.from_numpy(np.asarray(image, dtype=np.float32) / 255)[None]


def _plot_sigmas(panel: Panel, schedule: StageSchedule) -> None:
    total = schedule.total_steps
    done = 0
    for k, colour in enumerate(STAGE_COLOURS):
        sigmas = schedule.sigmas(k)
        xs = [(done + i) / total for i in range(len(sigmas))]
        panel.line(xs, sigmas, colour)
        for x, sigma in zip(xs, sigmas, strict=True):
            cx, cy = panel.point(x, sigma)
            panel.draw.ellipse((cx - 3, cy - 3, cx + 3, cy + 3), fill=colour)
        done += schedule.steps[k]
    panel.label("sigma (1 = noise) at each step", 0.0, 1.09)
    for k, colour in enumerate(STAGE_COLOURS):
        panel.label(f"stage {k + 1}: {schedule.steps[k]} steps", 0.02, 0.26 - 0.08 * k, colour)
    panel.label("0", -0.03, 0.04)
    panel.label("1", -0.03, 1.02)


def _plot_densities(
    draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], schedule: StageSchedule
) -> None:
    numbers = (schedule.steps, schedule.end_sigmas, schedule.model_shift)
    times, actual, target = nt_matching.densities(*numbers, schedule.shifts, schedule.z)
    panel = Panel(draw, box, 1.1 * float(max(actual.max(), target.max())))
    panel.line(times.tolist(), target.tolist(), TARGET_COLOUR)
    panel.line(times.tolist(), actual.tolist(), STAGE_COLOURS[0])
    distance = nt_matching.js_distance(*numbers, schedule.shifts, schedule.z)
    panel.label("how often each time t = 1 - sigma is visited", 0.0, 1.09 * panel.top)
    panel.label("P(t), the three stages", 0.55, 0.95 * panel.top, STAGE_COLOURS[0])
    panel.label("target", 0.55, 0.87 * panel.top, TARGET_COLOUR)
    panel.label(f"JS distance {distance:.4f}", 0.55, 0.79 * panel.top)
