"""RALU on diffusers' FLUX.1-dev.

`python docs/examples/diffusers_flux.py "a red fox in snow" fox.png`

Needs diffusers, transformers, accelerate, Pillow, access to FLUX.1-dev and a GPU of 40 GB.
"""
# pyright: reportPrivateImportUsage=false

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL, FluxPipeline, FluxTransformer2DModel
from PIL import Image

from ralu_core import Frame, Plan, Source, named_plan, over_tokens, sample


@dataclass(frozen=True)
class Flux:
    """The network over tokens, for one prompt.

    prompt, pooled  (1, T, D) and (1, P), in the type and on the device of the transformer.
    """

    transformer: FluxTransformer2DModel
    prompt: torch.Tensor
    pooled: torch.Tensor
    guidance: float = 3.5

    @torch.no_grad()
    def __call__(self, tokens: torch.Tensor, positions: torch.Tensor, sigma: float) -> torch.Tensor:
        # The transformer takes one set of places a call; every picture has its own regions.
        pictures = zip(tokens.split(1), positions, strict=True)
        velocity = torch.cat([self.velocity(one, places, sigma) for one, places in pictures])
        return tokens - sigma * velocity

    def velocity(self, tokens: torch.Tensor, places: torch.Tensor, sigma: float) -> torch.Tensor:
        """(1, N, 64) of a picture whose tokens lie at (N, 2) rows and columns."""
        guided = self.transformer.config["guidance_embeds"]
        return self.transformer(
            hidden_states=tokens.to(self.prompt.dtype),
            encoder_hidden_states=self.prompt,
            pooled_projections=self.pooled,
            timestep=self.prompt.new_full((1,), sigma),
            guidance=torch.full((1,), self.guidance, device=tokens.device) if guided else None,
            img_ids=torch.cat([torch.zeros_like(places[:, :1]), places], dim=1),
            txt_ids=places.new_zeros(self.prompt.shape[1], 3),
            return_dict=False,
        )[0].to(tokens.dtype)


def decoder(vae: AutoencoderKL) -> Callable[[torch.Tensor], torch.Tensor]:
    """(B, 16, h, w) clean latents -> (B, 8h, 8w, 3) pictures in [0, 1]."""

    @torch.no_grad()
    def decode(latent: torch.Tensor) -> torch.Tensor:
        scaled = latent / vae.config["scaling_factor"] + vae.config["shift_factor"]
        picture = vae.decode(scaled.to(vae.dtype), return_dict=False)[0]
        return (picture.float().movedim(1, -1) / 2 + 0.5).clamp(0, 1)

    return decode


def prepared(preset: str, size: int, seed: int) -> tuple[Plan, Frame, torch.Tensor]:
    """The plan, the picture's frame and its noise; ValueError, before any weights are loaded, for
    a plan or a size that cannot be."""
    plan, frame = named_plan(preset), Frame.of_picture(size, size)
    noise = torch.randn(1, 16, *frame.padded, generator=torch.Generator().manual_seed(seed))
    Source.from_noise(noise).check(plan)
    return plan, frame, noise


@torch.no_grad()  # or the text encoders' activations would be kept for gradients
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prompt")
    parser.add_argument("file")
    parser.add_argument("--preset", default="FLUX 7x")
    parser.add_argument("--size", type=int, default=1024, help="pixels each way")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    plan, frame, noise = prepared(asked.preset, asked.size, asked.seed)
    name = "black-forest-labs/FLUX.1-dev"
    pipe = FluxPipeline.from_pretrained(name, torch_dtype=torch.bfloat16).to("cuda")
    prompt, pooled, _ = pipe.encode_prompt(asked.prompt, None)
    assert prompt is not None and pooled is not None
    source = Source.from_noise(noise.to("cuda"))
    denoise, decode = over_tokens(Flux(pipe.transformer, prompt, pooled)), decoder(pipe.vae)
    result = sample(denoise, decode, source, plan, asked.seed)
    picture = decode(frame.crop(result.x))[0].mul(255).byte().cpu().numpy()
    Image.fromarray(picture).save(asked.file)


if __name__ == "__main__":
    main()
