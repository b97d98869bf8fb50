"""The miniatures' latent space: 16 principal components of 8x8 RGB patches.

Core's tiny autoencoder layout (three stride-2 convolutions, 64 channels) holds the linear
encoder exactly; its decoder cannot be linear and is trained (train_decoder.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

CHANNELS = 16
PATCH = 8
# The share of whitening: 0 keeps the components' own spread, 1 makes all of them equal. Half of
# it lets coarse structure rise out of the noise before detail, as it does in a trained codec.
WHITENING = 0.5
# The decoder starts with 3 * tanh(x / 3); small numbers pass it unbent.
SQUASH = 0.1


@dataclass(frozen=True)
class Codec:
    """Latents z = basis @ (patch - mean), patch = mean + inverse @ z; basis is (16, 192)."""

    mean: torch.Tensor
    basis: torch.Tensor
    inverse: torch.Tensor

    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, 16, H/8, W/8) of about unit variance."""
        patches = F.pixel_unshuffle(pictures, PATCH) - self.mean.view(-1, 1, 1)
        return torch.einsum("cp,bphw->bchw", self.basis, patches)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """The linear inverse, (B, 16, h, w) -> (B, 3, 8h, 8w), not clamped."""
        patches = torch.einsum("pc,bchw->bphw", self.inverse, latents) + self.mean.view(-1, 1, 1)
        return F.pixel_shuffle(patches, PATCH)


def fit_codec(batches: list[torch.Tensor]) -> Codec:
    """Principal components of all patches of the pictures, largest first."""
    patches = torch.cat([F.pixel_unshuffle(b, PATCH).movedim(1, -1).flatten(0, 2) for b in batches])
    patches = patches.double()
    mean = patches.mean(0)
    covariance = (patches - mean).T @ (patches - mean) / len(patches)
    values, vectors = torch.linalg.eigh(covariance)
    values, vectors = values.flip(0)[:CHANNELS], vectors.flip(1)[:, :CHANNELS]
    spread = values ** ((1 - WHITENING) / 2)
    spread = spread / spread.square().mean().sqrt()
    gain = spread / values.sqrt()
    return Codec(
        mean.float(), (vectors * gain).T.float().contiguous(), (vectors / gain).float().contiguous()
    )


def encoder_state(codec: Codec) -> dict[str, torch.Tensor]:
    """The linear encoder as weights of core's tiny encoder, times SQUASH.

    Two convolutions gather 2x2 pixels into channels, the third takes the products with the basis
    twice, once negated, so that rectification loses nothing, and the last one joins the halves.
    All other layers pass non-negative channels on.
    """
    from comfy.taesd.taesd import Encoder

    state = {k: torch.zeros_like(v) for k, v in Encoder(CHANNELS).state_dict().items()}
    state["0.weight"][range(3), range(3), 1, 1] = 1
    gather_pixels(state["2.weight"], 3)
    gather_pixels(state["6.weight"], 12)
    # Patch rows and columns split as (4 or 0) + (2 or 0) + (1 or 0), coarsest taken last.
    split = codec.basis.view(CHANNELS, 3, 2, 2, 2, 2, 2, 2)
    taps = split.permute(0, 1, 4, 7, 3, 6, 2, 5).reshape(CHANNELS, 48, 2, 2)
    state["10.weight"][:CHANNELS, :48, 1:, 1:] = taps
    state["10.weight"][CHANNELS : 2 * CHANNELS, :48, 1:, 1:] = -taps
    state["14.weight"][range(CHANNELS), range(CHANNELS), 1, 1] = SQUASH
    state["14.weight"][range(CHANNELS), range(CHANNELS, 2 * CHANNELS), 1, 1] = -SQUASH
    state["14.bias"] = -SQUASH * (codec.basis @ codec.mean)
    return state


def read_codec(state: dict[str, torch.Tensor]) -> Codec:
    """The codec that an autoencoder file holds: what `encoder_state` wrote, undone.

    Needed to train on for the latents of shipped weights: a fit on another machine differs, by
    signs at least. Of the mean only what the components see is known, which is all that encoding
    needs.
    """
    taps = state["taesd_encoder.10.weight"][:CHANNELS, :48, 1:, 1:].float()
    split = taps.reshape(CHANNELS, 3, 2, 2, 2, 2, 2, 2).permute(0, 1, 6, 4, 2, 7, 5, 3)
    basis = split.reshape(CHANNELS, 3 * PATCH * PATCH)
    inverse = (basis / basis.square().sum(1, keepdim=True)).T.contiguous()
    seen = state["taesd_encoder.14.bias"].float() / -SQUASH
    return Codec(inverse @ seen, basis, inverse)


def gather_pixels(weight: torch.Tensor, channels: int) -> None:
    """Make a 3x3 stride-2 kernel copy input (c, 2i+y, 2j+x) to output (4c+2y+x, i, j)."""
    for c in range(channels):
        for y in (0, 1):
            for x in (0, 1):
                weight[4 * c + 2 * y + x, c, y + 1, x + 1] = 1
