"""Pictures of the demo: regions outlined, and everything on one sheet."""

from __future__ import annotations

from PIL import Image, ImageChops, ImageDraw

REGION = 32  # pixels of one coarse token
CELL, EDGE, LABEL = 320, 12, 26
OUTLINE, SHADE = (255, 38, 26), 0.55
HEADINGS = ("plain", "RALU", "RALU, regions that grew early")
Row = tuple[str, Image.Image, Image.Image, Image.Image]


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


def contact_sheet(rows: list[Row]) -> Image.Image:
    """One line for each (title, plain, RALU, overlay), under headings."""
    width = EDGE + len(HEADINGS) * (CELL + EDGE)
    height = LABEL + EDGE + len(rows) * (CELL + LABEL + EDGE)
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    for column, heading in enumerate(HEADINGS):
        draw.text((EDGE + column * (CELL + EDGE), EDGE), heading, fill="black", font_size=15)
    for row, (title, *pictures) in enumerate(rows):
        top = LABEL + EDGE + row * (CELL + LABEL + EDGE)
        draw.text((EDGE, top), title, fill="#666", font_size=14)
        for column, picture in enumerate(pictures):
            cell = picture.resize((CELL, CELL), Image.Resampling.LANCZOS)
            sheet.paste(cell, (EDGE + column * (CELL + EDGE), top + LABEL - 4))
    return sheet
