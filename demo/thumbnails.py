"""`python -m demo.thumbnails`: the templates' thumbnails and the pictures of the help pages.

After `make demo`, workflows of trained miniatures show what those made; the others show a drawing,
with the regions that RALU chooses on it.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from demo.contact_sheet import outline
from demo.host.locate import REPOSITORY
from demo.run import COMPARISON, OUT, SHOWN
from demo.workflow import WORKFLOWS
from ralu_core.edges import image_scores
from ralu_core.flow import shift_sigma
from ralu_core.forecast import is_computed
from ralu_core.presets import PUBLISHED_SHIFT, matched_schedule, preset
from ralu_core.regions import select_ratio

DOCS = REPOSITORY / "web" / "docs"
SIDE = 512
HALF = SIDE // 2
GRID = 16  # regions along the drawing's side, 32 pixels each
BACKGROUND, INK, FAINT = (24, 26, 31), (222, 226, 234), (150, 156, 168)
STAGE_COLOURS = ((92, 169, 255), (255, 184, 77), (120, 214, 140))
DOCS_RATIO = 0.2
# Where a workflow's file keeps what its card tells: node, place among its widgets.
WIDGETS = {
    "preset": ("RALU_Schedule", 0),
    "plain steps": ("KSampler", 2),
    "interval": ("RALU_TemporalAcceleration", 1),
    "warm-up": ("RALU_TemporalAcceleration", 3),
}


@dataclass(frozen=True)
class Run:
    """What a workflow samples: noise levels of each stage, and which of its steps are computed.

    ratio  share of regions that grow early; 0 in plain sampling.
    """

    title: str
    sigmas: list[list[float]]
    computed: list[list[bool]]
    ratio: float

    @property
    def line(self) -> str:
        steps = [step for stage in self.computed for step in stage]
        stages = " in three stages" if self.ratio else ""
        if all(steps):
            return f"{len(steps)} steps{stages}"
        return f"{sum(steps)} of {len(steps)} steps computed{stages}"


def run_of(workflow: Path) -> Run | None:
    """What the workflow's nodes say; None where nothing is sampled."""
    nodes = json.loads(workflow.read_text(encoding="utf-8"))["nodes"]
    found = {
        name: node["widgets_values"][place]
        for name, (kind, place) in WIDGETS.items()
        for node in nodes
        if node["type"] == kind
    }
    skips = "interval" in found
    if "preset" in found:
        chosen = preset(found["preset"])
        schedule = matched_schedule(chosen, PUBLISHED_SHIFT)
        sigmas, ratio = [list(schedule.sigmas(k)) for k in range(3)], chosen.ratio
        title = f"{chosen.name} + TaylorSeer" if skips else chosen.name
    elif skips:
        count = found["plain steps"]
        sigmas = [[shift_sigma(PUBLISHED_SHIFT, 1 - k / count) for k in range(count + 1)]]
        title, ratio = "TaylorSeer", 0.0
    else:
        return None
    computed = [
        [
            not skips or is_computed(k, found["interval"], found["warm-up"])
            for k in range(len(s) - 1)
        ]
        for s in sigmas
    ]
    return Run(title, sigmas, computed, ratio)


def drawing() -> Image.Image:
    """A hut before mountains: smooth sky and snow, and a few places with many edges."""
    rows = np.linspace(0, 1, SIDE)[:, None, None]
    sky = (1 - rows) * np.array([70, 110, 190]) + rows * np.array([250, 205, 160])
    image = Image.fromarray(np.broadcast_to(sky, (SIDE, SIDE, 3)).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    draw.ellipse((360, 60, 430, 130), fill=(255, 236, 190))
    draw.polygon(((0, 330), (140, 150), (250, 300), (340, 200), (512, 340), (512, 400), (0, 400)),
                 fill=(96, 110, 140))  # fmt: skip
    draw.polygon(((140, 150), (108, 192), (136, 186), (150, 200), (172, 193)), fill=(240, 244, 250))
    draw.rectangle((0, 360, SIDE, SIDE), fill=(232, 238, 245))
    draw.rectangle((200, 330, 330, 430), fill=(124, 74, 48))
    draw.polygon(((180, 335), (265, 265), (350, 335)), fill=(90, 40, 34))
    for x in range(204, 330, 9):
        draw.line((x, 336, x, 430), fill=(92, 52, 34))
    for x in (218, 284):
        draw.rectangle((x, 352, x + 30, 382), fill=(255, 214, 120), outline=(60, 34, 24), width=3)
        draw.line((x + 15, 352, x + 15, 382), fill=(60, 34, 24), width=2)
    for x, y in ((70, 430), (120, 460), (410, 440), (460, 415)):
        for k in range(4):
            width, top = 10 + 9 * k, y - 90 + 22 * k
            draw.polygon(((x, top - 18), (x - width, top + 24), (x + width, top + 24)),
                         fill=(34, 78 + 10 * k, 58), outline=(20, 50, 40))  # fmt: skip
    return image


def early_regions(picture: Image.Image, ratio: float) -> Image.Image:
    """What a RALU run would grow early, white on black."""
    half = np.asarray(picture.resize((HALF, HALF), Image.Resampling.BOX), dtype=np.float32)
    scores = image_scores(torch.from_numpy(half / 255)[None], (GRID, GRID), "canny")
    chosen = select_ratio(scores, ratio)[0].numpy().astype(np.uint8) * 255
    return Image.fromarray(chosen).resize(picture.size, Image.Resampling.NEAREST)


def thumbnail(pictures: list[Image.Image], shown: Run) -> Image.Image:
    """Pictures side by side, above the noise levels of the run; skipped steps are hollow."""
    card = Image.new("RGB", (SIDE, SIDE), BACKGROUND)
    width = SIDE // len(pictures)
    above = (width - HALF) // 2
    for k, picture in enumerate(pictures):
        scaled = picture.resize((width, width), Image.Resampling.LANCZOS)
        card.paste(scaled.crop((0, above, width, above + HALF)), (k * width, 0))
    draw = ImageDraw.Draw(card)
    draw.text((24, HALF + 16), shown.title, fill=INK, font_size=30)
    draw.text((24, HALF + 54), shown.line, fill=FAINT, font_size=18)
    _draw_sigmas(draw, shown, (24, HALF + 88, SIDE - 24, SIDE - 24))
    return card


def _draw_sigmas(draw: ImageDraw.ImageDraw, shown: Run, box: tuple[int, ...]) -> None:
    left, top, right, bottom = box
    total = sum(map(len, shown.computed))
    radius, done = 5 if total < 30 else 4, 0
    for sigmas, computed, colour in zip(shown.sigmas, shown.computed, STAGE_COLOURS, strict=False):
        points = [
            (left + (done + i) / total * (right - left), bottom - s * (bottom - top))
            for i, s in enumerate(sigmas)
        ]
        draw.line(points, fill=colour, width=radius - 1)
        for (x, y), is_filled in zip(points, [*computed, True], strict=True):
            draw.ellipse(
                (x - radius, y - radius, x + radius, y + radius),
                fill=colour if is_filled else BACKGROUND,
                outline=colour,
            )
        done += len(computed)


def icon() -> Image.Image:
    """Coarse tiles, one of which has grown fine."""
    image = Image.new("RGB", (256, 256), BACKGROUND)
    draw = ImageDraw.Draw(image)
    for row in range(2):
        for column in range(2):
            parts = 4 if (row, column) == (0, 1) else 1
            size = 112 / parts
            for i in range(parts * parts):
                x, y = 12 + 120 * column + i % parts * size, 12 + 120 * row + i // parts * size
                colour = STAGE_COLOURS[(i + i // parts) % 3] if parts > 1 else STAGE_COLOURS[0]
                draw.rectangle((x + 2, y + 2, x + size - 2, y + size - 2), fill=colour)
    return image


def main() -> None:
    scene = drawing()
    outlined = outline(scene, early_regions(scene, DOCS_RATIO))
    outlined.save(DOCS / "regions.jpg", quality=85)
    icon().save(DOCS / "icon.png")
    if (OUT / COMPARISON).is_file():
        shutil.copy(OUT / COMPARISON, DOCS / COMPARISON)
    trained = {name for shown in SHOWN if shown.stand_in.is_trained for name in shown.workflows}
    for workflow in sorted(WORKFLOWS.glob("*.json")):
        shown = run_of(workflow)
        made, edges = OUT / f"{workflow.stem}.png", OUT / f"{workflow.stem}_edges.png"
        if shown is None:
            card = outlined
        elif workflow.stem in trained and made.is_file():
            card = thumbnail([Image.open(made), Image.open(edges)], shown)
        elif shown.ratio:
            regions = outline(scene, early_regions(scene, shown.ratio))
            card = thumbnail([scene, regions], shown)
        else:
            card = thumbnail([scene], shown)
        card.save(workflow.with_suffix(".jpg"), quality=88)


if __name__ == "__main__":
    main()
