"""Models that are known and not run: why, each in a few words of its own."""

from __future__ import annotations

from typing import Any

_PIXELS = "it samples pixels without a VAE, and RALU works on latents"
_VIDEO = "it is made for videos, and RALU samples still pictures"
_PLACES = "RALU does not know yet where it places its tokens"

# By the host's class.
REFUSED = {
    "ChromaRadiance": _PIXELS,
    "ZImagePixelSpace": _PIXELS,
    "PixelDiTT2I": _PIXELS,
    "PiD": _PIXELS,
    "HiDreamO1": _PIXELS,
    "HunyuanImage21": "its tokens are single latent pixels, which RALU has not been tried with",
    "HunyuanImage21Refiner": "it refines pictures at their full size, in few steps",
    "HiDream": "its experts choose their tokens by the picture, and it reads several texts",
    "Lens": f"{_PLACES} (Lens)",
    "Ideogram4": "its own scheduler follows no shift map, which RALU's schedules need",
    "JoyImage": f"{_PLACES} (JoyImage)",
    "Omnigen2": f"{_PLACES} (OmniGen2)",
    "Boogu": f"{_PLACES} (Boogu)",
    "WAN21_Vace": _VIDEO,
    "WAN21_Camera": _VIDEO,
    "WAN22": _VIDEO,
    "WAN22_Animate": _VIDEO,
    "WAN22_S2V": _VIDEO,
    "AuraFlow": "its latents and its table of positions are unlike those that RALU knows",
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
}
# Models that the host runs by the class of a family, by what the family calls them.
STRANGERS = {"Ovis-Image": "its blocks are gated, and its text has places of its own"}
LAYERED = "Qwen-Image-Layered's frames are layers of one picture, which RALU cannot grow together"


def why_refused(model: Any, network: Any) -> str | None:
    """Why a model of the host is not run, where that is known."""
    if type(model).__name__ == "QwenImage" and is_layered(network):
        return LAYERED
    return REFUSED.get(type(model).__name__)


def is_layered(network: Any) -> bool:
    """Whether a network of Qwen-Image makes layers: it reads one more condition beside the time."""
    return hasattr(getattr(network, "time_text_embed", None), "addition_t_embedding")
