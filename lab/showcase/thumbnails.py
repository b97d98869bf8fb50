"""`python -m lab.showcase.thumbnails`: the templates' cards and the pictures beside the help pages.

Runs every workflow on the trained miniatures (shots.py) on a real ComfyUI server and writes
workflows/*.jpg and web/docs/{regions.jpg,icon.png}; copies `make demo`'s comparison to web/docs
where it is there, and cuts the README's first picture out of it. The same files come out each time.
cards.py has the words.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image, ImageDraw

from lab.comfy import HostError
from lab.comfy.locate import REPOSITORY
from lab.comfy.watched import bench_server
from lab.comfy.workflow import WORKFLOWS, read_workflow
from lab.models.stand_ins import STAND_INS
from lab.showcase.cards import Words, model_of, sampling_of, words
from lab.showcase.contact_sheet import left_edge
from lab.showcase.demo import COMPARISON, OUT
from lab.showcase.shots import (
    PICTURE,
    SIDE,
    SMALL,
    Studio,
    Subject,
    family,
    marked,
    painted,
    tiled,
    untiled,
)
from lab.showcase.work_cards import GROUNDS, WORK, work_pictures

DOCS = REPOSITORY / "web" / "docs"
CARD, GAP, EDGE = 512, 4, 20  # pixels of a card, between its pictures, beside its text
PANES, CAPTION, NOTE = 254, 26, 22  # heights of pictures, of the line below them, of the last line
BACKGROUND, INK, FAINT = (24, 26, 31), (240, 242, 246), (164, 170, 182)
TILES = ((92, 169, 255), (255, 184, 77), (120, 214, 140))
COLOURS = {
    "FLUX.1-dev": (92, 169, 255),
    "FLUX.1 Fill": (255, 138, 168),
    "FLUX.1-schnell": (255, 214, 92),
    "SD3 Medium": (120, 214, 140),
    "SD3.5 Large": (190, 150, 255),
    "SD3.5 Large Turbo": (255, 160, 84),
}
SUBJECTS = {
    "begin_here_flux_dev": Subject("balloon on white", 1),
    "flux_dev_5x": Subject("sunflower on blue", 1),
    "flux_dev_5x_taylorseer": Subject("strawberry on white", 4),
    "flux_dev_7x": Subject("rocket on black", 4),
    "flux_dev_advanced": Subject("automobile on grey", 2),
    "flux_dev_compare": Subject("hamburger on green", 1),
    "flux_dev_compare_slider": Subject("slice of pizza on blue", 1),
    "flux_dev_controlnet_lora": Subject("wrapped present on green", 3),
    "flux_dev_in_front": Subject("red apple on yellow", 2),
    "flux_dev_inpaint": Subject("watermelon on green", 1),
    "flux_dev_taylorseer": Subject("fox face on green", 2),
    "flux_dev_two_pass": Subject("skull on red", 4),
    "sd3_medium_2x": Subject("avocado on pink", 4),
    "sd3_medium_3x": Subject("soccer ball on green", 4),
    "sd3.5_large_3x": Subject("penguin on orange", 2),
}
GIVEN = Subject("red apple on green", 1)  # to be inpainted
PAINTED = (24, 24, 231, 231)  # its mask
# What a miniature does otherwise than the model on the card.
LIMITS = {
    "flux_dev_controlnet_lora": ", without ControlNet and LoRA",
    "flux_dev_inpaint": ", which is no Fill model",
    "flux_dev_two_pass": f" at {SMALL} and {SIDE} pixels, enlarged by no model",
}
LOOKED_AT = ("flux_dev_5x", "flux_dev_5x_taylorseer", "sd3_medium_2x", "sd3_medium_3x")


@dataclass(frozen=True)
class Pane:
    """A picture on a card, the words below it, its pixels a side."""

    caption: str
    picture: Image.Image
    side: int = PANES


def panes(studio: Studio, name: str) -> list[Pane]:
    """Run a workflow; what its card shows. Models without a miniature show their work instead."""
    if name in GROUNDS:
        return [Pane(*drawn) for drawn in work_pictures(name, PANES)]
    if name in SPECIAL:
        return SPECIAL[name](studio, name)
    shown = studio.shoot(name, SUBJECTS[name])
    sampling = sampling_of(read_workflow(name)["nodes"])
    assert sampling is not None
    return [Pane(sampling.steps, shown[PICTURE]), Pane("grew early", marked(shown))]


def _compared(studio: Studio, name: str) -> list[Pane]:
    (four,) = studio.shoot(name, SUBJECTS[name]).values()
    third = (CARD - 2 * GAP) // 3
    captions = ("50 steps", "9 steps, same FLOPs", "RALU 5x")
    parts = untiled(four)[: len(captions)]
    return [Pane(*captioned, third) for captioned in zip(captions, parts, strict=True)]


def _slid(studio: Studio, name: str) -> list[Pane]:
    sampling = sampling_of(read_workflow(name)["nodes"])
    assert sampling is not None
    shown = studio.shoot(name, SUBJECTS[name])
    return [
        Pane(f"{sampling.plain} steps", shown["Plain"]),
        Pane(f"with RALU, {sampling.steps}", shown["RALU"]),
    ]


def _beside_plain(studio: Studio, name: str, *, without: str, words: str) -> list[Pane]:
    """As many steps as without a node of that class, and the workflow as it is."""
    sampling = sampling_of(read_workflow(name)["nodes"])
    assert sampling is not None
    whole = studio.shoot(name, SUBJECTS[name], without=without)
    some = studio.shoot(name, SUBJECTS[name])
    return [
        Pane(f"{sampling.plain} steps", whole[PICTURE]),
        Pane(words.format(sampling.steps), some[PICTURE]),
    ]


_in_front = partial(_beside_plain, without="RALU_Apply", words="with RALU, {}")
_skipping = partial(_beside_plain, without="RALU_TemporalAcceleration", words="{}")


def _inpainted(studio: Studio, name: str) -> list[Pane]:
    given = studio.shoot("flux_dev_5x", GIVEN)[PICTURE]
    studio.give(painted(given, PAINTED))
    mask = Image.new("RGB", given.size)
    ImageDraw.Draw(mask).rectangle(PAINTED, fill="white")
    result = studio.shoot(name, SUBJECTS[name])[PICTURE]
    third = (CARD - 2 * GAP) // 3
    return [Pane("picture", given, third), Pane("mask", mask, third), Pane("result", result, third)]


def _enlarged(studio: Studio, name: str) -> list[Pane]:
    shown = studio.shoot(name, SUBJECTS[name])
    first = next(picture for picture in shown.values() if picture.width == SMALL)
    return [Pane("first pass", first, PANES // 2), Pane("second pass", shown[PICTURE])]


def _looked_at(studio: Studio, name: str) -> list[Pane]:
    """Four miniatures' pictures as one, whole and outlined."""
    picture = tiled([studio.shoot(one, SUBJECTS[one])[PICTURE] for one in LOOKED_AT])
    studio.give(picture)
    shown = studio.shoot(name, GIVEN)
    return [Pane("picture", picture), Pane("30 % of the regions", shown["Overlay"])]


SPECIAL = {
    "begin_here_flux_dev": _in_front,
    "edge_mask_preview": _looked_at,
    "flux_dev_compare": _compared,
    "flux_dev_compare_slider": _slid,
    "flux_dev_in_front": _in_front,
    "flux_dev_inpaint": _inpainted,
    "flux_dev_taylorseer": _skipping,
    "flux_dev_two_pass": _enlarged,
}


def note(name: str) -> str:
    """Whose pictures a card shows."""
    if name in GROUNDS:
        return WORK
    nodes = read_workflow(name)["nodes"]
    model = model_of(nodes)
    if model is None:
        return "pictures: miniature Flux and SD3"
    file = family(next(file for file, one in STAND_INS.items() if one is model))
    miniature = STAND_INS[file].miniature
    assert miniature is not None
    return f"pictures: m{miniature.title[1:]}{LIMITS.get(name, '')}"


def card(shown: Sequence[Pane], says: Words, source: str) -> Image.Image:
    """Pictures side by side with captions, above the words."""
    sheet = Image.new("RGB", (CARD, CARD), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    widths = [pane.side for pane in shown]
    left = (CARD - sum(widths) - GAP * (len(shown) - 1)) // 2
    bottom = max(widths)
    for pane in shown:
        scaled = pane.picture.resize((pane.side, pane.side), Image.Resampling.LANCZOS)
        sheet.paste(scaled, (left, bottom - pane.side))
        middle = left + pane.side / 2, bottom + CAPTION / 2
        _write(draw, middle, pane.caption, 20, FAINT, pane.side, "mm")
        left += pane.side + GAP
    _draw_words(draw, says, (bottom + CAPTION, CARD - NOTE))
    _write(draw, (EDGE, CARD - NOTE / 2), source, 15, FAINT, CARD - 2 * EDGE, "lm")
    return sheet


def _draw_words(draw: ImageDraw.ImageDraw, says: Words, box: tuple[int, int]) -> None:
    """The three lines, evenly between two heights."""
    colour = COLOURS.get(says.model, INK)
    lines = ((says.model, 58, INK), (says.use, 42, colour), (says.saving, 30, INK))
    space = (box[1] - box[0] - sum(size for _, size, _ in lines)) / (len(lines) + 1)
    top = box[0] + space
    for text, size, ink in lines:
        _write(draw, (EDGE, top + size / 2), text, size, ink, CARD - 2 * EDGE, "lm")
        top += size + space


def _write(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    size: int,
    ink: tuple[int, int, int],
    width: int,
    anchor: str,
) -> None:
    """A line of text, smaller where it would be too wide."""
    while draw.textlength(text, font_size=size) > width:
        size -= 1
    draw.text(place, text, fill=ink, font_size=size, anchor=anchor)


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
                colour = TILES[(i + i // parts) % 3] if parts > 1 else TILES[0]
                draw.rectangle((x + 2, y + 2, x + size - 2, y + size - 2), fill=colour)
    return image


def write_cards(studio: Studio, out: Path, docs: Path) -> None:
    """A card for each workflow below `out`, and the outlined regions below `docs`."""
    for workflow in sorted(WORKFLOWS.glob("*.json")):
        name = workflow.stem
        print(f"{name} ...", flush=True)
        shown = panes(studio, name)
        card(shown, words(name), note(name)).save(out / f"{name}.jpg", quality=88)
        if name == "edge_mask_preview":
            shown[-1].picture.save(docs / "regions.jpg", quality=85)


def first(comparison: Path) -> Image.Image:
    """The README's first picture: SD3's part of the comparison, up to the dial."""
    with Image.open(comparison) as sheet:
        return sheet.crop((0, sheet.height // 2, left_edge(3), sheet.height))


def main() -> int:
    try:
        with bench_server() as bench:
            write_cards(Studio(bench), WORKFLOWS, DOCS)
    except (HostError, OSError) as error:
        print(f"thumbnails: {error}", file=sys.stderr)
        return 1
    icon().save(DOCS / "icon.png")
    return keep_comparison(OUT / COMPARISON, DOCS)


def keep_comparison(made: Path, docs: Path) -> int:
    """Copy `make demo`'s sheet, and cut the README's first picture of it; 1 where it is absent."""
    if not made.is_file():
        print(
            f"thumbnails: {made} is not there, so {COMPARISON} and first.jpg stay the old ones: "
            "run `make demo` first.",
            file=sys.stderr,
        )
        return 1
    shutil.copy(made, docs / COMPARISON)
    first(docs / COMPARISON).save(docs / "first.jpg", quality=90)
    return 0


if __name__ == "__main__":
    sys.exit(main())
