"""Text and lines on the nodes can be read in the dark and in the light theme."""

from __future__ import annotations

import re

import pytest

from lab.comfy.locate import REPOSITORY

NEEDED = 4.5  # WCAG 2.2, AA, for text of this size
# Grounds of a node: classic and Nodes 2.0.
GROUNDS = {"dark": ("#353535", "#262729"), "light": ("#f5f5f5", "#ffffff")}
INKS = {"dark": "#dddddd", "light": "#222222"}  # of the frontend's own text
PARTS = ("faint", "stage1", "stage2", "stage3", "stage4", "target")


def colours(theme: str) -> dict[str, str]:
    dark, light = (REPOSITORY / "web" / "ralu.css").read_text("utf-8").split(".ralu-on-light")
    return dict(re.findall(r"--(\w+): (#[0-9a-f]+);", {"dark": dark, "light": light}[theme]))


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = (int(digits[k : k + 2], 16) / 255 for k in (0, 2, 4))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", GROUNDS)
def test_all_colours_can_be_read(theme):
    found = colours(theme)
    assert tuple(found) == PARTS
    told = {**found, "ink": INKS[theme]}
    for ground in GROUNDS[theme]:
        low = {name: contrast(one, ground) for name, one in told.items()}
        assert min(low.values()) >= NEEDED, low


def test_contrast_is_that_of_the_standard():
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)
