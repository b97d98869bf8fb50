from __future__ import annotations

import sys

import pytest
import torch
import torch.nn.functional as F

from ralu_core.scores import SCORES
from ralu_core.scores.canny_gpu import _connected
from ralu_core.scores.edge_share import EdgeShare, grey_levels
from ralu_core.scores.regions import select_ratio

CANNY = [name for name, score in SCORES.items() if isinstance(score, EdgeShare)]


def edge_pixels(image: torch.Tensor, name: str) -> torch.Tensor:
    return score_of(name).edges(grey_levels(image))


def image_scores(image: torch.Tensor, grid: tuple[int, int], name: str) -> torch.Tensor:
    return score_of(name).of_picture(image, grid)


def score_of(name: str) -> EdgeShare:
    score = SCORES[name]
    assert isinstance(score, EdgeShare)
    return score


def picture(grey: torch.Tensor) -> torch.Tensor:
    """(H, W) grey -> (1, H, W, 3) image."""
    return grey[None, :, :, None].expand(-1, -1, -1, 3)


def plane(rows: int = 128, columns: int = 128) -> tuple[torch.Tensor, ...]:
    y, x = torch.arange(float(rows)), torch.arange(float(columns))
    return torch.meshgrid(y, x, indexing="ij")


def clouds(cells: int) -> torch.Tensor:
    grey = torch.rand(1, 1, cells, cells, generator=torch.Generator().manual_seed(cells))
    return F.interpolate(grey, size=128, mode="bicubic")[0, 0].clamp(0, 1)


def drawings() -> dict[str, torch.Tensor]:
    """Greys from 0.1 to 0.8, 128 x 128 pixels."""
    y, x = plane()
    from_centre = ((x - 60) ** 2 + (y - 50) ** 2).sqrt()
    greys = {
        "upright step": x >= 40,
        "flat step": y < 70,
        "diagonal": x + y > 120,
        "rectangle": (x >= 20) & (x < 70) & (y >= 33) & (y < 97),
        "disc": from_centre < 30,
        "soft disc": torch.sigmoid((30 - from_centre) / 2),
        "stripes": x // 8 % 2,
        "ramp": x / 127,
        "clouds": clouds(16),
        "grain": clouds(128),
    }
    return {name: 0.1 + 0.7 * grey for name, grey in greys.items()}


DRAWINGS = drawings()


@pytest.mark.parametrize("detector", CANNY)
def test_a_step_marks_one_row_of_pixels(detector: str) -> None:
    edges = edge_pixels(picture(DRAWINGS["upright step"]), detector)
    assert edges.shape == (1, 128, 128) and edges.dtype == torch.float32
    expected = torch.zeros(1, 128, 128)
    expected[:, :, 39] = 1
    assert torch.equal(edges, expected)


@pytest.mark.parametrize("name", DRAWINGS)
def test_both_canny_detectors_find_the_same_pixels(name: str) -> None:
    image = picture(DRAWINGS[name])
    assert torch.equal(edge_pixels(image, "canny"), edge_pixels(image, "canny_gpu"))


@pytest.mark.parametrize("name", DRAWINGS)
def test_both_canny_detectors_choose_the_same_tokens(name: str) -> None:
    opencv, tensor = (image_scores(picture(DRAWINGS[name]), (8, 8), one) for one in CANNY)
    assert torch.equal(select_ratio(opencv, 0.3), select_ratio(tensor, 0.3))


@pytest.mark.parametrize("detector", CANNY)
def test_weak_edges_count_where_they_touch_a_strong_one(detector: str) -> None:
    y, x = plane(64, 32)
    weak, weaker = 0.12, 0.08  # a step passes the thresholds at 200 / 1020 and 100 / 1020
    fading = torch.where(x >= 16, 0.9 - 0.7 / 63 * y, 0.2)  # from 0.7 down to 0
    marked = edge_pixels(picture(fading), detector)[0].amax(dim=1)
    assert torch.equal(marked[:54], torch.ones(54))  # 0.11 at the end
    assert torch.equal(marked[59:], torch.zeros(5))  # 0.04 at the start
    for step in (weak, weaker):
        alone = torch.where(x >= 16, 0.2 + step, 0.2)
        assert edge_pixels(picture(alone), detector).sum() == 0


def grown(strong: torch.Tensor, weak: torch.Tensor) -> torch.Tensor:
    """Hysteresis the slow way: a pass for every pixel of the longest edge."""
    while True:
        near = F.max_pool2d(strong.float(), 3, stride=1, padding=1).bool() & weak
        if torch.equal(near, strong):
            return strong
        strong = near


@pytest.mark.parametrize("density", [0.2, 0.35, 0.45])
def test_weak_pixels_are_joined_as_by_growing(density: float) -> None:
    generator = torch.Generator().manual_seed(0)
    weak = torch.rand(2, 48, 64, generator=generator) < density
    strong = weak & (torch.rand(2, 48, 64, generator=generator) < 0.02)
    expected = grown(strong, weak)
    assert torch.equal(_connected(strong, weak), expected)
    assert not torch.equal(expected, weak) and not torch.equal(expected, strong)


def test_nothing_weak_is_no_edge() -> None:
    none = torch.zeros(1, 4, 4, dtype=torch.bool)
    assert torch.equal(_connected(none, none), none)


@pytest.mark.parametrize("detector", CANNY)
def test_scores_are_the_share_of_edge_pixels_per_token(detector: str) -> None:
    scores = image_scores(picture(DRAWINGS["upright step"]), (8, 8), detector)
    expected = torch.zeros(1, 8, 8)
    expected[:, :, 39 // 16] = 1 / 16
    assert torch.equal(scores, expected)


@pytest.mark.parametrize("detector", CANNY)
def test_every_picture_is_scored_alone(detector: str) -> None:
    images = torch.cat([picture(DRAWINGS[name]) for name in ("disc", "clouds", "diagonal")])
    scores = image_scores(images, (8, 8), detector)
    for i in range(3):
        assert torch.equal(scores[i : i + 1], image_scores(images[i : i + 1], (8, 8), detector))


def test_grey_is_weighted_before_it_is_clipped() -> None:
    """As in the released code: a channel outside [0, 1] still weighs in the grey."""
    _, x = plane(16, 16)
    image = torch.zeros(1, 16, 16, 3)
    image[..., 1] = torch.where(x >= 8, 1.4, 0.0)  # 0.587 * 1.4 = 0.82 of green ...
    image[..., 2] = torch.where(x >= 8, -7.2, 0.0)  # ... less 0.114 * 7.2 = 0.82 of blue
    for detector in CANNY:
        assert edge_pixels(image, detector).sum() == 0


@pytest.mark.parametrize("detector", CANNY)
def test_greys_outside_a_picture_are_clipped(detector: str) -> None:
    """As of a decoder that overshoots: they would wrap around to others."""
    y, x = plane(64, 64)
    image = picture(torch.where(y < 30, x / 32 - 0.5, 0.5))
    edges = edge_pixels(image, detector)
    assert torch.equal(edges, edge_pixels(image.clamp(0, 1), detector)) and edges.any()


@pytest.mark.parametrize("detector", CANNY)
def test_an_image_must_split_into_the_grid(detector: str) -> None:
    with pytest.raises(
        ValueError, match=r"128x120 pixels does not split into 8x7 .*: decode it with"
    ):
        image_scores(torch.zeros(1, 120, 128, 3), (7, 8), detector)


def test_missing_opencv_names_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)  # what `import cv2` reads: "not importable"
    image = picture(DRAWINGS["disc"])
    with pytest.raises(ImportError, match=r"pip install opencv-python.*detector to canny_gpu"):
        image_scores(image, (8, 8), "canny")
    with pytest.raises(ImportError, match="this Python has none"):
        SCORES["canny"].check()
    SCORES["canny_gpu"].check()
    assert image_scores(image, (8, 8), "canny_gpu").sum() > 0


def test_one_of_them_looks_where_the_picture_is() -> None:
    assert [name for name in CANNY if SCORES[name].on_device] == ["canny_gpu"]
