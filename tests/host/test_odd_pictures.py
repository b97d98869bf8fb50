"""Odd pictures and latents: shown as they are, or refused in one true sentence."""

from __future__ import annotations

import pytest
import torch
from nodes import EmptyLatentImage

from driving import ralu, schedule_for, short_plan
from lab.models import tiny
from ralu_pack.nodes.edge_mask_preview import EdgeMaskPreview
from ralu_pack.nodes.host.families.table import FAMILIES
from ralu_pack.nodes.host.sampling.conds import fit_to_frame
from ralu_pack.nodes.host.source import on_frame
from ralu_pack.nodes.schedule import Schedule
from ralu_pack.ralu_core.latents.frame import Frame

GREY = torch.rand(1, 256, 256, 1, generator=torch.Generator().manual_seed(0))


def preview(image, **more):
    return EdgeMaskPreview.execute(ratio=0.3, image=image, **more).args


def test_grey_with_alpha_is_grey():
    alpha = torch.rand(1, 256, 256, 1)
    mask, overlay, *_ = preview(torch.cat([GREY, alpha], dim=-1))
    expected, drawn, *_ = preview(GREY)
    assert torch.equal(mask, expected) and torch.equal(overlay, drawn)
    assert torch.equal(mask, preview(GREY.expand(-1, -1, -1, 3))[0])


def test_half_precision_is_a_picture():
    assert preview(GREY.half())[1].shape == (1, 256, 256, 3)


@pytest.mark.parametrize(
    "image",
    [(GREY.expand(-1, -1, -1, 3) * 255).byte(), torch.ones(1, 64, 64, 3, dtype=torch.int64)],
    ids=["bytes", "int64"],
)
def test_bytes(image):
    with pytest.raises(ValueError, match=r"numbers from 0 to 1 .*int.*: load the picture"):
        preview(image)


class WithAlpha:
    """A VAE of layered pictures: it decodes to four channels."""

    def __init__(self, vae):
        self.vae = vae

    def __getattr__(self, name):
        return getattr(self.vae, name)

    def decode(self, latent):
        picture = self.vae.decode(latent)
        return torch.cat([picture, torch.zeros_like(picture[..., :1])], dim=-1)


def test_a_decoded_alpha_is_left_out(flux, vae):
    size = (256, 256)
    schedule = schedule_for(flux)
    expected, _ = ralu(flux, vae, size, edge_detector="canny", schedule=schedule)
    layered, _ = ralu(flux, WithAlpha(vae), size, edge_detector="canny", schedule=schedule)
    assert torch.equal(layered, expected)
    latent = {"samples": torch.randn(1, 16, 32, 32, generator=torch.Generator().manual_seed(1))}
    shown = [EdgeMaskPreview.execute(0.3, latent=latent, vae=v).args for v in (vae, WithAlpha(vae))]
    assert all(torch.equal(*pair) for pair in zip(*(one[:2] for one in shown), strict=True))


@pytest.mark.parametrize("channels", [0, 5, 64])
def test_channels_of_no_picture(channels):
    with pytest.raises(ValueError, match=f"1 to 4 channels, got float32 in {channels}"):
        preview(torch.zeros(1, 64, 64, channels))


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (30, 30)])
def test_small_pictures_are_told_their_own_size(size):
    height, width = size
    with pytest.raises(ValueError, match=rf"more than 32 pixels each way, got {width}x{height}:"):
        preview(torch.rand(1, height, width, 3))
    with pytest.raises(ValueError, match=f"got {width}x{height}:"):
        Schedule.execute("FLUX 5x", "match the model", width, height)


def nested():
    from comfy.nested_tensor import NestedTensor

    return NestedTensor([torch.zeros(1, 16, 32, 32), torch.zeros(1, 8, 16)])


def test_a_nested_latent(flux, vae):
    with pytest.raises(ValueError, match="got a latent of 2 parts, as of a video and its sound"):
        ralu(flux, vae, latent={"samples": nested()})
    with pytest.raises(ValueError, match="got a latent of 2 parts"):
        EdgeMaskPreview.execute(ratio=0.3, latent={"samples": nested()}, vae=vae)


@pytest.mark.parametrize("shape", [(16, 32, 32), (32, 32), (1, 1, 16, 1, 32, 32)], ids=str)
def test_latents_of_other_dimensions(flux, vae, shape):
    phrase = f"got a latent of {len(shape)} dimensions"
    with pytest.raises(ValueError, match=phrase):
        ralu(flux, vae, latent={"samples": torch.zeros(shape)})
    with pytest.raises(ValueError, match=phrase):
        EdgeMaskPreview.execute(ratio=0.3, latent={"samples": torch.zeros(shape)}, vae=vae)


def test_an_inpaint_mask_is_extended_and_not_stretched():
    frame, mask = Frame(31, 33), torch.rand(1, 1, 248, 264)
    _, extended = on_frame({"noise_mask": mask}, torch.zeros(1, 16, 31, 33), frame)
    assert extended.shape[-2:] == tuple(8 * side for side in frame.padded)
    assert torch.equal(extended[..., :248, :264], mask)


def test_a_mask_of_yes_and_no(flux, vae):
    """Some packs' masks are bool."""
    mask = torch.zeros(1, 256, 256, dtype=torch.bool)
    mask[:, :64] = True
    for size in ((256, 256), (248, 248)):
        region = mask[:, : size[0], : size[1]]
        made = ralu(flux, vae, size=size, region_mask=region)[1]
        assert torch.equal(made, ralu(flux, vae, size=size, region_mask=region.float())[1])


@pytest.mark.parametrize("key", ["mask", "concat_latent_image", "concat_mask"])
def test_maps_beside_a_prompt_are_extended_and_not_stretched(key):
    frame, given = Frame(23, 30), torch.rand(1, 1, 23, 30)
    (fitted,) = fit_to_frame({"positive": [{key: given}]}, frame)["positive"]
    assert fitted[key].shape[-2:] == frame.padded == (24, 32)
    assert torch.equal(fitted[key], frame.extend(given))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_the_empty_latent_of_another_model_is_an_empty_one(family):
    """Empty Latent Image makes those of SD 1.5, and the host's samplers take them for any model."""
    if not family.is_known:
        pytest.skip(f"this ComfyUI has no {family.model_class}")
    model = tiny.load_model(tiny.family_weights(family), family)
    (latent,) = EmptyLatentImage().generate(512, 256, 2)
    if family.space.host_pixels != 8 and "downscale_ratio_spacial" not in latent:
        pytest.skip("this ComfyUI does not tell at which size a latent is")
    options = {"schedule": short_plan(model, (256, 512)), "edge_detector": "latent_gradient"}
    own, _ = ralu(model, None, size=(256, 512), batch=2, **options)
    samples, _ = ralu(model, None, latent=latent, **options)
    assert latent["samples"].shape[1] == 4 and torch.equal(samples, own)
