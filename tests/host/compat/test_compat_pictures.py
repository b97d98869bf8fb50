"""Picture sizes and shapes, live previews, and batches, in whole runs."""

from __future__ import annotations

import comfy.utils
import folder_paths
import latent_preview
import pytest
import torch
from comfy.cli_args import LatentPreviewMethod
from safetensors.torch import save_file

from driving import SHIFT, family, ralu, schedule_for
from lab.models import tiny
from ralu_pack.ralu_core import plans
from ralu_pack.ralu_core.latents.frame import Frame
from ralu_pack.ralu_core.latents.layout import Layout

SIZES = [(64, 64), (256, 256), (256, 768), (264, 1000), (216, 384), (104, 520), (520, 72)]
LARGE = [(2048, 256), (256, 2048), (1024, 1024), (1080, 1920), (1920, 1080), (1504, 1000)]


def short(model) -> plans.Plan:
    shift = SHIFT[family(model)]
    return plans.ralu((1, 1, 1), (0.7, 0.55, 0.0), (4.4, 2.1, 2.0), 4.0, 0.3, shift)


def assert_whole(model, size, vae=None):
    detector = "canny" if vae else "latent_gradient"
    samples, mask = ralu(model, vae, size=size, schedule=short(model), edge_detector=detector)
    assert samples.shape == (1, 16, size[0] // 8, size[1] // 8)
    assert mask.shape == (1, size[0] // 8 * 8, size[1] // 8 * 8)
    assert torch.isfinite(samples).all() and samples.std() > 0.1
    frame = Frame(size[0] // 8, size[1] // 8)
    if frame.is_whole:
        tokens = frame.grid[0] * frame.grid[1]
        assert mask.mean().item() == pytest.approx(int(0.3 * tokens) / tokens)


@pytest.mark.promise("Sizes from 256 to 2048 pixels, odd and extreme shapes")
@pytest.mark.parametrize("size", SIZES)
def test_sizes(model, vae, size):
    assert_whole(model, size, vae)


@pytest.mark.slow
@pytest.mark.promise("Sizes from 256 to 2048 pixels, odd and extreme shapes")
@pytest.mark.parametrize("size", [*LARGE, (2048, 2048)])
def test_large_sizes(model, vae, size):
    assert_whole(model, size)


@pytest.mark.promise("Sizes from 256 to 2048 pixels, odd and extreme shapes")
@pytest.mark.parametrize("size", [(256, 2048), (2048, 264)])
def test_extreme_shapes(flux, size):
    assert_whole(flux, size)


@pytest.mark.promise("Sizes from 256 to 2048 pixels, odd and extreme shapes")
def test_every_size_makes_a_layout_of_whole_tokens():
    """All sizes that the host's widgets can set from 256 to 2048, in steps of 8 pixels."""
    for pixels in range(256, 2049, 8):
        frame = Frame(pixels // 8, 256 // 8)
        rows, columns = frame.grid
        layout = Layout(torch.ones(1, rows, columns, dtype=torch.bool))
        assert layout.latent_size == frame.padded
        assert 0 <= frame.padded[0] - pixels // 8 < 4
        latent = torch.zeros(1, 1, pixels // 8, 32)
        assert frame.extend(latent).shape[-2:] == frame.padded
        assert frame.crop(frame.extend(latent)).shape == latent.shape


@pytest.mark.promise("Sizes from 256 to 2048 pixels, odd and extreme shapes")
def test_an_extended_picture_is_the_larger_one_cut(flux, vae):
    """Where a picture does not split into coarse tokens, only its own part is handed back."""
    samples, mask = ralu(flux, vae, size=(248, 250), schedule=short(flux))
    assert samples.shape[-2:] == (31, 31) and mask.shape[-2:] == (248, 248)


@pytest.fixture
def seen():
    """Previews as the host hands them to the browser."""
    shown = []
    comfy.utils.set_progress_bar_global_hook(
        lambda value, total, preview=None, **_: shown.append((value, total, preview))
    )
    yield shown
    comfy.utils.set_progress_bar_global_hook(None)
    latent_preview.args.preview_method = LatentPreviewMethod.NoPreviews


def shown_sizes(model, vae, shown) -> list:
    ralu(model, vae, size=(256, 192), schedule=schedule_for(model))
    return [preview[1].size for *_, preview in shown if preview is not None]


@pytest.mark.promise("Live previews (latent2rgb and TAESD)")
def test_latent2rgb_previews(model, vae, seen):
    latent_preview.args.preview_method = LatentPreviewMethod.Latent2RGB
    sizes = shown_sizes(model, vae, seen)
    assert sizes[:2] == [(12, 16)] * 2 and sizes[-2:] == [(24, 32)] * 2


@pytest.mark.promise("Live previews (latent2rgb and TAESD)")
def test_taesd_previews(model, vae, seen, tmp_path, monkeypatch):
    name = model.model.latent_format.taesd_decoder_name
    weights = {
        key.removeprefix("taesd_decoder."): value
        for key, value in tiny.taesd_weights(3).items()
        if key.startswith("taesd_decoder.")
    }
    save_file(weights, tmp_path / f"{name}.safetensors")
    paths = {**folder_paths.folder_names_and_paths}
    paths["vae_approx"] = ([str(tmp_path)], {".safetensors"})
    monkeypatch.setattr(folder_paths, "folder_names_and_paths", paths)
    monkeypatch.setattr(folder_paths, "filename_list_cache", {})
    latent_preview.args.preview_method = LatentPreviewMethod.TAESD
    sizes = shown_sizes(model, vae, seen)
    assert sizes[:2] == [(96, 128)] * 2 and sizes[-2:] == [(192, 256)] * 2


@pytest.mark.promise("Batches")
def test_a_picture_of_a_batch_is_the_single_picture(model, vae):
    schedule = schedule_for(model)
    batch, masks = ralu(model, vae, batch=4, cfg=4.0, schedule=schedule)
    for i in (0, 3):
        latent = {"samples": torch.zeros(1, 16, 32, 32), "batch_index": [i]}
        single, mask = ralu(model, vae, latent=latent, cfg=4.0, schedule=schedule)
        assert torch.equal(mask, masks[i : i + 1])
        torch.testing.assert_close(single, batch[i : i + 1], atol=1e-3, rtol=1e-3)


def test_latents_keep_what_else_they_carry(flux, vae):
    from ralu_pack.nodes.outputs import latent_output

    latent = {"samples": torch.zeros(1, 16, 8, 8), "batch_index": [3], "another node's": "value"}
    out = latent_output(latent, torch.ones(1, 16, 8, 8))
    assert out["batch_index"] == [3] and out["another node's"] == "value"
    assert latent["samples"].sum() == 0
