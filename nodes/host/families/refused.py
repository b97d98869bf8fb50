"""Models that are known, and not run or at full size alone: why, each in a few words of its own."""

from __future__ import annotations

from typing import Any

_PIXELS = "it samples pixels without a VAE"
_VIDEO = "it is made for videos, and RALU samples still pictures"
PLACES = "RALU does not know where it places its tokens"
OLDER = "this version of ComfyUI does not tell where its tokens lie, so update it"

# By the host's class.
FULL_SIZE = {
    "ChromaRadiance": _PIXELS,
    "ZImagePixelSpace": _PIXELS,
    "PixelDiTT2I": _PIXELS,
    "HunyuanImage21": "its tokens are single latent pixels",
    "HiDream": "its experts choose their tokens by the picture",
    "WAN21": "it reads a picture beside its latent",
    "AuraFlow": "its table of positions is unlike those that RALU knows",
}
REFUSED = {
    "HiDreamO1": "its noise is eight times as strong as its levels say",
    "HunyuanImage21Refiner": "it refines pictures in few steps",
    "PiD": "it decodes latents in few steps",
    "WAN21_Vace": _VIDEO,
    "WAN21_Camera": _VIDEO,
    "WAN22": _VIDEO,
    "WAN22_Animate": _VIDEO,
    "WAN22_S2V": _VIDEO,
    "CosmosPredict2": "its noise levels are no straight flow",
    "LTXV": _VIDEO,
    "LTXAV": _VIDEO,
    "HunyuanVideo": _VIDEO,
    "HunyuanVideo15": _VIDEO,
    "CosmosVideo": _VIDEO,
    "GenmoMochi": _VIDEO,
    "CogVideoX": _VIDEO,
    "MiniMaxH3": _VIDEO,
    "Kandinsky5": _VIDEO,
    "SeedVR2": "it restores videos in one step",
    "ACEStep": "it makes sound",
    "TripoSplat": "it makes shapes",
}
LAYERED = "Qwen-Image-Layered"  # its latents' frames are layers of a picture, however many
# Models that the host runs by the class of a family, by what the family calls them.
STRANGERS = {
    "Ovis-Image": "its blocks are gated, and its text has places of its own",
    LAYERED: "it makes layers, which would have to grow together",
}


def why_refused(model: Any) -> str | None:
    """Why a model of the host is not run, where that is known."""
    return REFUSED.get(type(model).__name__)


def is_layered(network: Any) -> bool:
    """Whether a network of Qwen-Image makes layers: it reads one more condition beside the time."""
    return hasattr(getattr(network, "time_text_embed", None), "addition_t_embedding")
