"""Small models of the same classes that take the place of the files a workflow names.

Trained miniatures are used where they exist, else seeded random weights. ComfyUI is imported only
when weights are asked for.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lab.comfy import HostError
from lab.comfy.locate import REPOSITORY
from ralu_core.cost import CallCost

TRAINED = REPOSITORY / "lab" / "models" / "miniature" / "weights"
Weights = dict[str, Any]


def _random(kind: str, **options: Any) -> Weights:
    from lab.models import tiny

    return getattr(tiny, f"{kind}_weights")(**options)


@dataclass(frozen=True)
class Miniature:
    """A small model of lab/models/miniature.

    name   of its weights.
    size   its blocks, width and text tokens.
    cfg    guidance scale that it samples with.
    """

    title: str
    name: str
    size: CallCost
    cfg: float

    @property
    def files(self) -> tuple[Path, Path]:
        """Trained network and VAE."""
        network = TRAINED / "diffusion_models" / f"{self.name}.safetensors"
        return network, TRAINED / "vae" / f"{self.name}_vae.safetensors"


@dataclass(frozen=True)
class StandIn:
    """What stands in for one full-size model.

    title      the full-size model's name.
    random     makes seeded weights of its class.
    size       the full-size model's blocks, width and text tokens.
    miniature  of its class; None where none is made.
    """

    title: str
    random: Callable[[], Weights]
    size: CallCost
    miniature: Miniature | None = None

    @property
    def is_trained(self) -> bool:
        return self.miniature is not None and all(map(Path.is_file, self.miniature.files))


FLUX_SIZE = CallCost(blocks=57, width=3072, text_tokens=256)
SD3_SIZE = CallCost(blocks=24, width=1536, text_tokens=154)
SD35_SIZE = CallCost(blocks=38, width=2432, text_tokens=154)
MINIATURE_FLUX = Miniature("Miniature Flux", "miniature_flux", CallCost(6, 256, 8), cfg=1.0)
MINIATURE_SD3 = Miniature("Miniature SD3", "miniature_sd3", CallCost(4, 256, 8), cfg=4.0)
_SD35 = partial(_random, "sd3", seed=3, dual_attention=True)
STAND_INS = {
    "flux1-dev.safetensors": StandIn(
        "FLUX.1-dev", partial(_random, "flux", seed=1), FLUX_SIZE, MINIATURE_FLUX
    ),
    "flux1-fill-dev.safetensors": StandIn(
        "FLUX.1 Fill", partial(_random, "flux", seed=5, in_channels=96), FLUX_SIZE
    ),
    "flux1-schnell.safetensors": StandIn(
        "FLUX.1-schnell", partial(_random, "flux", seed=2, guidance=False), FLUX_SIZE
    ),
    "sd3_medium_incl_clips_t5xxlfp8.safetensors": StandIn(
        "SD3 Medium", partial(_random, "sd3", seed=3), SD3_SIZE, MINIATURE_SD3
    ),
    "sd3.5_large_fp8_scaled.safetensors": StandIn("SD3.5 Large", _SD35, SD35_SIZE),
    "sd3.5_large_turbo.safetensors": StandIn("SD3.5 Large Turbo", _SD35, SD35_SIZE),
}


class TextEncoder:
    """What CLIPTextEncode needs of a CLIP; the words decide the numbers, nothing is learnt."""

    def __init__(self, trained: bool):
        self.trained = trained

    def tokenize(self, text: str) -> str:
        return text

    def encode_from_tokens_scheduled(self, text: str) -> list:
        if self.trained:
            from lab.models.miniature.text_encoding import encode_prompt

            context, pooled = encode_prompt(text)
            return [[context[None], {"pooled_output": pooled[None]}]]
        from lab.models import tiny

        return tiny.conditioning(seed=zlib.crc32(text.encode()))


def load_stand_in(file: str, trained: bool) -> tuple[Any, TextEncoder, Any]:
    """MODEL, CLIP and VAE that stand in for a file; inside ComfyUI."""
    from lab.models import tiny

    stand_in = STAND_INS[file]
    if not trained:
        vae = tiny.load_vae(tiny.taesd_weights(seed=4))
        return tiny.load_model(stand_in.random()), TextEncoder(trained), vae
    if stand_in.miniature is None or not stand_in.is_trained:
        raise HostError(
            f"{stand_in.title} has no trained miniature in {TRAINED}: use a random one."
        )
    from safetensors.torch import load_file

    network, vae = map(load_file, stand_in.miniature.files)
    return tiny.load_model(network), TextEncoder(trained), tiny.load_vae(vae)


def load_control(model: Any) -> Any:
    """A small ControlNet for a Flux MODEL, as core wraps InstantX's; inside ComfyUI."""
    import comfy.controlnet
    import comfy.latent_formats
    import comfy.ops
    import torch
    from comfy.ldm.flux.controlnet import ControlNetFlux

    from lab.models import tiny

    config = {**model.model.model_config.unet_config}
    for option in ("disable_unet_model_creation", "dtype"):
        config.pop(option, None)
    network = ControlNetFlux(
        latent_input=True,
        control_latent_channels=16,
        **config,
        dtype=torch.float32,
        device="cpu",
        operations=comfy.ops.disable_weight_init,
    )
    network.load_state_dict(tiny.seeded(network.state_dict(), seed=6))
    return comfy.controlnet.ControlNet(
        network,
        compression_ratio=1,
        latent_format=comfy.latent_formats.Flux(),
        extra_conds=["y", "guidance"],
        load_device=model.load_device,
    )
