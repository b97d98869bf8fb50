"""The shipped miniatures load through ComfyUI's own loaders and do what their card says."""

from __future__ import annotations

import comfy.sample
import comfy.sd
import pytest
import torch
from safetensors.torch import load_file

from lab.models import tiny
from lab.models.miniature import train_lightning
from lab.models.miniature.codec import read_codec
from lab.models.miniature.export import FORMATS
from lab.models.miniature.text_encoding import WIDTH, WORDS, encode_prompt
from lab.models.stand_ins import TRAINED
from ralu_core.plans import plain

MODELS = ("flux", "sd3")  # that have an autoencoder
TRAINED_MODELS = (*MODELS, "flux_guided")


def load_vae(model: str) -> comfy.sd.VAE:
    return tiny.load_vae(load_file(TRAINED / "vae" / f"miniature_{model}_vae.safetensors"))


def rendered_ball(size: int) -> torch.Tensor:
    """A shaded red ball on a pale ground, (1, size, size, 3) in [0, 1]."""
    axis = torch.linspace(-1, 1, size)
    x, y = axis.view(1, -1), axis.view(-1, 1)
    coverage = ((0.7 - (x.square() + y.square()).sqrt()) * size / 4).clamp(0, 1)
    light = (0.7 - 0.4 * (x + y)).clamp(0, 1)
    ball = torch.stack([light, 0.3 * light, 0.25 * light], -1)
    ground = torch.tensor([0.8, 0.85, 0.95])
    return (ball * coverage.unsqueeze(-1) + ground * (1 - coverage.unsqueeze(-1))).unsqueeze(0)


def sample(
    model: str,
    prompt: str,
    steps: int,
    guidance: float = 3.5,
    lora: str = "",
    cfg: float = 1.0,
) -> torch.Tensor:
    """Plain Euler at 256x256 through ComfyUI: latent (1, 16, 32, 32)."""
    weights = load_file(TRAINED / "diffusion_models" / f"miniature_{model}.safetensors")
    patcher = tiny.load_model(weights)
    if lora:
        change = load_file(TRAINED / "loras" / f"miniature_{lora}.safetensors")
        patcher, _ = comfy.sd.load_lora_for_models(patcher, None, change, 1.0, 0.0)
    said, unsaid = (
        [[context.unsqueeze(0), {"pooled_output": pooled.unsqueeze(0), "guidance": guidance}]]
        for context, pooled in map(encode_prompt, (prompt, ""))
    )
    noise = torch.randn(1, 16, 32, 32, generator=torch.Generator().manual_seed(0))
    empty = torch.zeros_like(noise)
    return comfy.sample.sample(
        patcher, noise, steps, cfg, "euler", "simple", said, unsaid, empty, disable_pbar=True
    )


def test_prompt_encoding_does_not_depend_on_the_machine():
    context, pooled = encode_prompt("Dog face")
    assert context.shape == (WORDS, WIDTH) and pooled.shape == (WIDTH,)
    assert torch.equal(context[2:], torch.zeros(WORDS - 2, WIDTH))
    torch.testing.assert_close(
        pooled[:3], torch.tensor([1.2682, -1.0791, 0.9502]), atol=1e-4, rtol=0
    )
    assert not torch.equal(encode_prompt("face dog")[0], context)


@pytest.mark.parametrize("model", MODELS)
def test_autoencoder_returns_the_picture(model):
    vae, picture = load_vae(model), rendered_ball(256)
    latent = vae.encode(picture)
    assert latent.shape == (1, 16, 32, 32)
    error = (vae.decode(latent) - picture).square().mean()
    assert -10 * error.log10() > 25


@pytest.mark.parametrize("model", MODELS)
def test_its_codec_can_be_read_back(model):
    """So that shipped weights can be trained on in their own latents, on any machine."""
    weights = load_file(TRAINED / "vae" / f"miniature_{model}_vae.safetensors")
    scale, shift = FORMATS[model]
    picture = rendered_ball(128)
    latent = (load_vae(model).encode(picture) - shift) * scale
    encoded = read_codec(weights).encode(picture.movedim(-1, 1))
    torch.testing.assert_close(encoded, latent, atol=0.01, rtol=0)


@pytest.mark.parametrize("model, has_effect", [("flux", False), ("flux_guided", True)])
def test_guidance_has_an_effect_where_it_was_taught(model, has_effect):
    weak, strong = (sample(model, "red apple", 3, guidance) for guidance in (1.0, 5.0))
    change = ((strong - weak).std() / weak.std()).item()
    assert (change > 0.15) is has_effect, change


@pytest.mark.parametrize(
    ("lora", "model", "cfg", "steps"),
    [("flux_turbo", "flux_guided", 1.0, 2), ("sd3_lightning", "sd3", 4.0, 4)],
)
def test_a_lora_draws_in_few_steps_what_its_model_draws_in_many(lora, model, cfg, steps):
    errors = {lora: 0.0, "": 0.0}
    for prompt in ("fox face", "red apple", "frog face", "penguin"):
        many = sample(model, prompt, 12, cfg=cfg)
        for name in errors:
            few = sample(model, prompt, steps, lora=name)
            errors[name] += (few - many).square().mean().item()
    assert errors[lora] < 0.7 * errors[""]


def test_the_lightning_loras_parts_begin_where_four_steps_do():
    begun = train_lightning.level(torch.arange(train_lightning.PARTS + 1))
    (stage,) = plain(train_lightning.SHIFT, (4,)).stages
    assert begun.tolist() == pytest.approx(stage.sigmas)


@pytest.mark.parametrize("model", TRAINED_MODELS)
def test_prompt_decides_the_colour(model):
    vae = load_vae(model.partition("_")[0])
    red, green = (
        vae.decode(sample(model, name, 8))[0, 96:160, 96:160].mean((0, 1))
        for name in ("red apple", "frog face")
    )
    assert red[0] - red[1] > 0.2
    assert green[1] - green[0] > 0
