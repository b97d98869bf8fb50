"""Pictures of the demo: regions outlined, and everything on one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageDraw

REGION = 32  # pixels of one coarse token
CELL, GAP, MARGIN = 256, 10, 16
TITLE, HEADINGS, CAPTION = 44, 58, 28  # heights of lines of text
OUTLINE, SHADE = (255, 38, 26), 0.55
INK, FAINT = "#1b1d21", "#6b7078"


@dataclass(frozen=True)
class Section:
    """One model's part of the sheet.

    columns  heading of each column, and a smaller line below it.
    rows     a prompt and its pictures, one for each column.
    """

    title: str
    columns: Sequence[tuple[str, str]]
    rows: Sequence[tuple[str, Sequence[Image.Image]]]

    @property
    def height(self) -> int:
        return TITLE + HEADINGS + len(self.rows) * (CAPTION + CELL + GAP)

    @property
    def width(self) -> int:
        return len(self.columns) * (CELL + GAP) - GAP


def outline(picture: Image.Image, early: Image.Image) -> Image.Image:
    """Darken the picture where `early` is black and draw a border around each white region."""
    white = early.convert("L").point([0] * 128 + [255] * 128)
    dark = picture.point(lambda value: int(SHADE * value))
    marked = Image.composite(picture, dark, white)
    grid = Image.new("L", picture.size)
    draw = ImageDraw.Draw(grid)
    for y in range(0, picture.height, REGION):
        for x in range(0, picture.width, REGION):
            draw.rectangle((x, y, x + REGION - 1, y + REGION - 1), outline=255)
    marked.paste(OUTLINE, mask=ImageChops.multiply(grid, white))
    return marked


def contact_sheet(sections: Sequence[Section]) -> Image.Image:
    """The sections below each other."""
    width = 2 * MARGIN + max(section.width for section in sections)
    height = MARGIN + sum(section.height + MARGIN for section in sections)
    sheet = Image.new("RGB", (width, height), "white")
    top = MARGIN
    for section in sections:
        _draw_section(sheet, section, top)
        top += section.height + MARGIN
    return sheet


def left_edge(column: int) -> int:
    """Where a column begins, in pixels."""
    return MARGIN + column * (CELL + GAP)


def _draw_section(sheet: Image.Image, section: Section, top: int) -> None:
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, top), section.title, fill=INK, font_size=28)
    lefts = [left_edge(column) for column in range(len(section.columns))]
    for left, (heading, detail) in zip(lefts, section.columns, strict=True):
        draw.text((left, top + TITLE), heading, fill=INK, font_size=21)
        draw.text((left, top + TITLE + 27), detail, fill=FAINT, font_size=17)
    top += TITLE + HEADINGS
    for caption, pictures in section.rows:
        draw.text((MARGIN, top), caption, fill=INK, font_size=19)
        for left, picture in zip(lefts, pictures, strict=True):
            sheet.paste(picture.resize((CELL, CELL)), (left, top + CAPTION))
        top += CAPTION + CELL + GAP
