"""Small models of the same classes that take the place of the files a workflow names.

Trained miniatures are used where they exist, else seeded random weights. ComfyUI is imported only
when weights are asked for.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from lab.comfy import HostError
from lab.comfy.locate import REPOSITORY
from lab.models.architectures import ARCHITECTURES, MINIATURES, Architecture
from ralu_core.cost import CallCost

TRAINED = REPOSITORY / "lab" / "models" / "miniature" / "weights"
# Miniatures that are a LoRA on another one.
CHANGED = {"flux_turbo": "flux_guided", "sd3_lightning": "sd3"}
Weights = dict[str, Any]


def _random(kind: str, **options: Any) -> Weights:
    from lab.models import tiny

    return getattr(tiny, f"{kind}_weights")(**options)


@dataclass(frozen=True)
class Miniature:
    """A small model of lab/models/miniature: one of MINIATURES."""

    kind: str

    @property
    def architecture(self) -> Architecture:
        return MINIATURES[self.kind]

    @property
    def title(self) -> str:
        return self.architecture.name

    @property
    def name(self) -> str:
        """Of its weights."""
        return f"miniature_{self.kind}"

    @property
    def files(self) -> tuple[Path, Path]:
        """Trained network and VAE; a model that was trained on has the VAE of the one before."""
        kind = CHANGED.get(self.kind, self.kind)
        network = TRAINED / "diffusion_models" / f"miniature_{kind}.safetensors"
        first, _, _ = self.kind.partition("_")
        return network, TRAINED / "vae" / f"miniature_{first}_vae.safetensors"

    @property
    def lora(self) -> Path | None:
        """That the network needs, if any."""
        return TRAINED / "loras" / f"{self.name}.safetensors" if self.kind in CHANGED else None


@dataclass(frozen=True)
class StandIn:
    """What stands in for one full-size model.

    architecture  of the full-size model.
    random        makes seeded weights of its class.
    miniature     of its class; None where none is made.
    """

    architecture: Architecture
    random: Callable[[], Weights]
    miniature: Miniature | None = None

    @property
    def title(self) -> str:
        return self.architecture.name

    @property
    def size(self) -> CallCost:
        """The full-size model's blocks, width and text tokens."""
        return self.architecture.cost

    @property
    def is_trained(self) -> bool:
        return self.miniature is not None and all(map(Path.is_file, self.miniature.files))


def _stand_in(key: str, kind: str, miniature: str = "", name: str = "", **options: Any) -> StandIn:
    """For one of ARCHITECTURES, by another name where one is given."""
    architecture = ARCHITECTURES[key]
    architecture = replace(architecture, name=name or architecture.name)
    small = Miniature(miniature) if miniature else None
    return StandIn(architecture, partial(_random, kind, **options), small)


STAND_INS = {
    "flux1-dev.safetensors": _stand_in("flux-dev", "flux", "flux", seed=1),
    "flux1-dev-fp8.safetensors": _stand_in("flux-dev", "flux", "flux", seed=1),
    "flux1-fill-dev.safetensors": _stand_in(
        "flux-dev", "flux", name="FLUX.1 Fill", seed=5, in_channels=96
    ),
    "flux1-schnell.safetensors": _stand_in("flux-schnell", "flux", seed=2, guidance=False),
    "sd3_medium_incl_clips_t5xxlfp8.safetensors": _stand_in("sd3-medium", "sd3", "sd3", seed=3),
    "sd3.5_large_fp8_scaled.safetensors": _stand_in(
        "sd3.5-large", "sd3", seed=3, dual_attention=True
    ),
    "sd3.5_large_turbo.safetensors": _stand_in(
        "sd3.5-large-turbo", "sd3", seed=3, dual_attention=True
    ),
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
