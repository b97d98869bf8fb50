"""The example for diffusers, on tiny random weights of its real classes."""

from __future__ import annotations

import importlib.util
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from runs import normal, plan_of, uniform

from ralu_core import Source, over_tokens, sample
from ralu_core.latents.tokens import patchify, pick

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "diffusers_flux.py"
SIZE = (2, 16, 24, 16)  # 6 x 4 coarse tokens
SIGMA = 0.6


@pytest.fixture(scope="module", autouse=True)
def _without_torchvision() -> Iterator[None]:
    """Transformers takes torchvision where it finds it, and one built for another torch breaks."""
    if importlib.util.find_spec("diffusers") is None:
        pytest.skip("diffusers is not installed")
    with pytest.MonkeyPatch.context() as patch:
        if "torchvision" not in sys.modules:
            patch.setitem(sys.modules, "torchvision", None)
        yield


@pytest.fixture(scope="module")
def example(_without_torchvision: None) -> dict:
    return runpy.run_path(str(EXAMPLE))


@pytest.fixture(scope="module", params=[True, False], ids=["dev", "schnell"])
def flux(request: pytest.FixtureRequest, example: dict):
    torch.manual_seed(0)
    transformer = example["FluxTransformer2DModel"](
        in_channels=64,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=24,
        guidance_embeds=request.param,
        axes_dims_rope=(4, 6, 6),
    )
    return example["Flux"](transformer.eval(), normal(1, 1, 7, 32), normal(2, 1, 24))


@torch.no_grad()
def plain(flux, example: dict, x: torch.Tensor) -> torch.Tensor:
    """The clean estimate as diffusers' own pipeline makes it: its packing, its places."""
    pipeline = example["FluxPipeline"]
    b, c, h, w = x.shape
    ids = pipeline._prepare_latent_image_ids(b, h // 2, w // 2, "cpu", torch.float32)
    tokens = pipeline._pack_latents(x, b, c, h, w)
    velocity = [
        flux.transformer(
            hidden_states=one[None],
            timestep=torch.tensor([SIGMA]),
            guidance=torch.tensor([flux.guidance])
            if flux.transformer.config.guidance_embeds
            else None,
            pooled_projections=flux.pooled,
            encoder_hidden_states=flux.prompt,
            txt_ids=torch.zeros(7, 3),
            img_ids=ids,
        ).sample
        for one in tokens
    ]
    clean = tokens - SIGMA * torch.cat(velocity)
    return pipeline._unpack_latents(clean, 8 * h, 8 * w, 8)


def test_all_fine_is_the_plain_full_size_model(flux, example: dict) -> None:
    x = normal(3, *SIZE)
    denoise, expected = over_tokens(flux), plain(flux, example, x)
    assert torch.equal(denoise(x, SIGMA, uniform(x, True)), expected)
    assert torch.equal(denoise(x, SIGMA, None), expected)


def test_none_fine_is_the_plain_half_size_model(flux, example: dict) -> None:
    x = normal(3, *SIZE)
    layout = uniform(x, False)
    denoise, expected = over_tokens(flux), plain(flux, example, pick(x))
    assert torch.equal(pick(denoise(layout.settle(x), SIGMA, layout)), expected)
    assert torch.equal(denoise(pick(x), SIGMA, None), expected)


def test_places_and_prompts_count(flux) -> None:
    x = normal(3, *SIZE)
    tokens, here = patchify(x), uniform(x, True).positions
    answer = flux(tokens, here, SIGMA)
    assert not torch.allclose(flux(tokens, 1.5 * here, SIGMA), answer)
    pictures = [flux(tokens[i : i + 1], here[i : i + 1], SIGMA) for i in range(2)]
    assert torch.equal(torch.cat(pictures), answer)


@pytest.mark.parametrize(
    ("flags", "told"),
    [(["--preset", "FLUX 6x"], "A plan must be one of"), (["--size", "32"], "more than 32 pixels")],
)
def test_what_cannot_be_is_told_before_weights_are_loaded(
    example: dict, monkeypatch: pytest.MonkeyPatch, flags: list[str], told: str
) -> None:
    def load(*_, **__) -> None:
        raise AssertionError

    monkeypatch.setattr(example["FluxPipeline"], "from_pretrained", load)
    monkeypatch.setattr(sys, "argv", ["diffusers_flux.py", "a fox", "fox.png", *flags])
    with pytest.raises(ValueError, match=told):
        example["main"]()


def test_a_size_that_splits_into_no_coarse_tokens_is_sampled_larger(example: dict) -> None:
    plan, frame, noise = example["prepared"]("FLUX 7x", 1000, 3)
    assert plan.name == "FLUX 7x" and noise.shape == (1, 16, 128, 128)
    assert frame.crop(noise).shape == (1, 16, 125, 125)


def test_a_whole_run(flux, example: dict) -> None:
    torch.manual_seed(1)
    vae = example["AutoencoderKL"](
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=16,
        layers_per_block=1,
        norm_num_groups=4,
        scaling_factor=0.3611,
        shift_factor=0.1159,
    ).eval()
    decode, plan = example["decoder"](vae), plan_of(steps=(1, 2, 2))
    result = sample(over_tokens(flux), decode, Source.from_noise(normal(3, *SIZE)), plan, seed=0)
    assert result.layout is not None and result.layout.counts == [24 + 3 * 7] * 2
    assert result.x.shape == SIZE and result.x.isfinite().all()
    picture = decode(result.x)
    assert picture.shape == (2, 192, 128, 3) and picture.min() >= 0 and picture.max() <= 1
