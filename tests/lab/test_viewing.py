"""Sheets of pictures, and distances between them."""

from __future__ import annotations

import math

import pytest
import torch

from lab.models.viewing import Grid, picture_grid, psnr


def test_a_sheet_has_a_cell_for_each_picture():
    pictures = torch.zeros(3, 3, 8, 8, dtype=torch.uint8)
    sheet = picture_grid([("a", pictures), ("a", pictures)], ["x", "y"], Grid())
    assert sheet.size == (150 + 2 * 192, 24 + 2 * 192)
    bare = picture_grid([("a", pictures)], ["", "", ""], Grid(64, gap=0, side=0, top=12))
    assert bare.size == (64, 12 + 3 * 64)


def test_a_tenth_of_the_range_is_20_db():
    picture = torch.full((2, 3, 8, 8), 0.5)
    assert psnr(picture + 0.1, picture).tolist() == pytest.approx([20, 20], abs=1e-4)
    assert psnr(picture, picture).tolist() == [math.inf, math.inf]
