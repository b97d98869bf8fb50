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

from demo.host import HostError
from demo.host.locate import REPOSITORY
from ralu_core.cost import CallCost

TRAINED = REPOSITORY / "demo" / "miniature" / "weights"
Weights = dict[str, Any]


def _random(kind: str, **options: Any) -> Weights:
    from demo import tiny

    return getattr(tiny, f"{kind}_weights")(**options)


@dataclass(frozen=True)
class StandIn:
    """What stands in for one full-size model.

    title      the full-size model's name.
    random     makes seeded weights of its class.
    miniature  name of the trained weights in demo/miniature/weights, or "" where none are made.
    size       the full-size model's blocks, width and text tokens.
    """

    title: str
    random: Callable[[], Weights]
    miniature: str
    size: CallCost

    @property
    def files(self) -> tuple[Path, Path]:
        """Trained network and VAE."""
        name = f"miniature_{self.miniature}"
        network = TRAINED / "diffusion_models" / f"{name}.safetensors"
        return network, TRAINED / "vae" / f"{name}_vae.safetensors"

    @property
    def is_trained(self) -> bool:
        return bool(self.miniature) and all(file.is_file() for file in self.files)

    @property
    def side(self) -> int:
        """Pixels a side of the pictures it makes; the miniatures were trained on 256."""
        return 256 if self.is_trained else 512


FLUX_SIZE = CallCost(blocks=57, width=3072, text_tokens=256)
SD3_SIZE = CallCost(blocks=24, width=1536, text_tokens=154)
SD35_SIZE = CallCost(blocks=38, width=2432, text_tokens=154)
_SD35 = partial(_random, "sd3", seed=3, dual_attention=True)
STAND_INS = {
    "flux1-dev.safetensors": StandIn(
        "FLUX.1-dev", partial(_random, "flux", seed=1), "flux", FLUX_SIZE
    ),
    "flux1-schnell.safetensors": StandIn(
        "FLUX.1-schnell", partial(_random, "flux", seed=2, guidance=False), "", FLUX_SIZE
    ),
    "sd3_medium_incl_clips_t5xxlfp8.safetensors": StandIn(
        "SD3 Medium", partial(_random, "sd3", seed=3), "sd3", SD3_SIZE
    ),
    "sd3.5_large_fp8_scaled.safetensors": StandIn("SD3.5 Large", _SD35, "", SD35_SIZE),
    "sd3.5_large_turbo.safetensors": StandIn("SD3.5 Large Turbo", _SD35, "", SD35_SIZE),
}


class TextEncoder:
    """What CLIPTextEncode needs of a CLIP; the words decide the numbers, nothing is learnt."""

    def __init__(self, trained: bool):
        self.trained = trained

    def tokenize(self, text: str) -> str:
        return text

    def encode_from_tokens_scheduled(self, text: str) -> list:
        if self.trained:
            from demo.miniature.comfy_pack.text import encode_prompt

            context, pooled = encode_prompt(text)
            return [[context[None], {"pooled_output": pooled[None]}]]
        from demo import tiny

        return tiny.conditioning(seed=zlib.crc32(text.encode()))


def load_stand_in(file: str, trained: bool) -> tuple[Any, TextEncoder, Any]:
    """MODEL, CLIP and VAE that stand in for a file; inside ComfyUI."""
    from demo import tiny

    stand_in = STAND_INS[file]
    if not trained:
        vae = tiny.load_vae(tiny.taesd_weights(seed=4))
        return tiny.load_model(stand_in.random()), TextEncoder(trained), vae
    if not stand_in.is_trained:
        raise HostError(
            f"{stand_in.title} has no trained miniature in {TRAINED}: use a random one."
        )
    from safetensors.torch import load_file

    network, vae = map(load_file, stand_in.files)
    return tiny.load_model(network), TextEncoder(trained), tiny.load_vae(vae)
