"""Latents as hosts carry them, and as this library does."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from ralu_core import Frame, Space


def numbered(*shape: int) -> torch.Tensor:
    return torch.arange(float(torch.Size(shape).numel())).reshape(shape)


FOLDED = Space(channels=32, pixels=8, patch=1, fold=2)
FILM = Space(channels=16, pixels=8, has_frames=True)
BOTH = Space(channels=3, pixels=4, patch=1, fold=2, has_frames=True)


@pytest.mark.parametrize(
    ("space", "host", "own"),
    [
        (Space(), (2, 16, 8, 12), (2, 16, 8, 12)),
        (FOLDED, (2, 128, 4, 6), (2, 32, 8, 12)),
        (FILM, (2, 16, 1, 8, 12), (2, 16, 8, 12)),
        (FILM, (2, 16, 5, 8, 12), (2, 80, 8, 12)),
        (BOTH, (2, 12, 1, 4, 6), (2, 3, 8, 12)),
        (BOTH, (2, 12, 5, 4, 6), (2, 15, 8, 12)),
    ],
)
def test_leave_undoes_enter(space: Space, host: tuple, own: tuple) -> None:
    latent = numbered(*host)
    entered = space.enter(latent)
    assert entered.shape == own
    assert torch.equal(space.leave(entered), latent)
    again = numbered(*own)
    assert torch.equal(space.enter(space.leave(again)), again)
    assert space.host_channels == host[1]


def test_where_forms_agree_the_tensor_is_the_same() -> None:
    latent = numbered(1, 16, 4, 4)
    assert Space().enter(latent) is latent and Space().leave(latent) is latent


def test_a_fold_is_pixel_shuffles() -> None:
    """The host's channel 4 * c + 2 * row + column is the pixel (row, column) of channel c."""
    host = numbered(1, 8, 3, 5)
    own = Space(channels=2, fold=2).enter(host)
    for channel in range(2):
        for row in range(2):
            for column in range(2):
                pixels = own[0, channel, row::2, column::2]
                assert torch.equal(pixels, host[0, 4 * channel + 2 * row + column])


def test_frames_stay_apart() -> None:
    film = numbered(2, 12, 5, 4, 6)
    own = BOTH.enter(film).reshape(2, 3, 5, 8, 12)
    for frame in range(5):
        assert torch.equal(own[:, :, frame], BOTH.enter(film[:, :, frame]))


def test_sizes_in_pixels() -> None:
    space = Space()
    assert (space.coarse, space.coarse_pixels, space.host_pixels) == (4, 32, 8)
    assert (FOLDED.coarse, FOLDED.coarse_pixels, FOLDED.host_pixels) == (2, 16, 16)


def test_a_frame_of_tokens_of_one_latent_pixel() -> None:
    frame = Frame.of_picture(1000, 520, FOLDED)
    assert (frame.height, frame.width) == (125, 65)
    assert frame.padded == (126, 66) and not frame.is_whole
    assert (frame.grid, frame.fine_grid) == ((63, 33), (126, 66))
    latent = numbered(1, 2, 125, 65)
    extended = frame.extend(latent)
    assert extended.shape == (1, 2, 126, 66)
    assert torch.equal(extended[..., -1, :65], latent[..., -1, :])
    assert torch.equal(extended[..., :125, -1], latent[..., :, -1])
    assert torch.equal(frame.crop(extended), latent)
    fine = torch.zeros(1, 63, 33, dtype=torch.bool)
    fine[0, 0, 1] = fine[0, 62, 32] = True
    mask = frame.mask(fine)
    assert mask.shape == (1, 1000, 520) and mask.dtype == torch.float32
    assert mask[0, :16, 16:32].all() and mask[0, 992:, 512:].all()
    assert mask.sum() == 16 * 16 + 8 * 8
    exact = replace(frame, exact=True)
    assert exact.padded == (125, 65) and exact.is_whole and exact.extend(latent) is latent
    assert exact.grid == frame.grid and torch.equal(exact.mask(fine), mask)


def test_a_frame_of_flux() -> None:
    frame = Frame.of_picture(1030, 1000)
    assert frame.picture == (1024, 1000) and frame.size == "1000x1024"  # pixels that fill latents
    assert frame.padded == (128, 128) and frame.grid == (32, 32) and frame.fine_grid == (64, 64)
    whole = Frame(128, 128)
    image = numbered(1, 1, 16, 16)
    assert whole.is_whole and whole.extend(image) is image


def test_a_map_at_picture_resolution_is_extended_alike() -> None:
    frame = Frame(13, 16)  # 104 x 128 pixels, padded to 128 x 128
    assert frame.extend(numbered(1, 104, 128)).shape == (1, 128, 128)
    assert frame.extend(numbered(13, 16)).shape == (16, 16)


@pytest.mark.parametrize(
    ("space", "least"), [(Space(), 32), (FOLDED, 16), (Space(pixels=16), 64)], ids=["2", "1", "16"]
)
def test_a_picture_may_be_too_small_or_too_large(space: Space, least: int) -> None:
    """More than one coarse token, whole or not."""
    Frame.of_picture(least + space.pixels, least + space.pixels, space)
    with pytest.raises(
        ValueError, match=f"more than {least} pixels each way, got {4 * least + 1}x{least}: make it"
    ):
        Frame.of_picture(least, 4 * least + 1, space)  # told in its own pixels
    Frame.of_picture(16384, 64 * 4, space)
    with pytest.raises(ValueError, match=r"at most 16384 pixels each way, got 256x16400: make it"):
        Frame.of_picture(16384 + 16, 256, space)
