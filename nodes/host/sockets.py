"""Types of what lies on sockets: ComfyUI checks none that any-switches and API prompts bring."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import comfy.samplers
import torch

from ...ralu_core.growth import GROWTHS
from ...ralu_core.growth.enlarger import Enlarger
from ...ralu_core.plans import Plan
from ...ralu_core.scores import SCORES
from .dial import QUALITIES
from .inputs import AUTO


@dataclass(frozen=True)
class Kind:
    """What a socket takes.

    words     for it.
    fits      whether a value is of the kind: by what is read of it, as packs have classes of their
              own.
    way_out   what to connect.
    optional  whether nothing may be connected.
    """

    words: str
    fits: Callable[[Any], bool]
    way_out: str
    optional: bool = False


def _has(*names: str) -> Callable[[Any], bool]:
    return lambda value: all(hasattr(value, name) for name in names)


def _is_conditioning(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(map(_is_prompt, value))


def _is_prompt(entry: Any) -> bool:
    return (
        isinstance(entry, list | tuple)
        and len(entry) > 1
        and (entry[0] is None or torch.is_tensor(entry[0]))
        and isinstance(entry[1], Mapping)
    )


def _is_latent(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    samples, mask = value.get("samples"), value.get("noise_mask")
    has_samples = torch.is_tensor(samples) or getattr(samples, "is_nested", False)
    return has_samples and (mask is None or torch.is_tensor(mask))


def _is_mask(value: Any) -> bool:
    return torch.is_tensor(value) and value.ndim >= 2


def _is_image(value: Any) -> bool:
    return torch.is_tensor(value) and value.ndim == 4


def _is_sampler(value: Any) -> bool:
    return isinstance(value, comfy.samplers.Sampler) or hasattr(value, "sampler_function")


CONDITIONING = Kind("a CONDITIONING", _is_conditioning, "connect a text encode node")
LATENT = Kind("a LATENT", _is_latent, "connect an Empty SD3 Latent Image or a VAE Encode")
SOCKETS = {
    "model": Kind(
        "a MODEL", _has("get_model_object", "model_options"), "connect Load Diffusion Model"
    ),
    "positive": CONDITIONING,
    "negative": CONDITIONING,
    "latent_image": LATENT,
    "latent": LATENT,
    "vae": Kind("a VAE", _has("decode"), "connect Load VAE", optional=True),
    "schedule": Kind(
        "a schedule of this pack",
        lambda value: isinstance(value, Plan),
        "connect RALU NT-Matching Schedule, or nothing",
        optional=True,
    ),
    "enlarger": Kind(
        "an ENLARGER of this pack",
        lambda value: isinstance(value, Enlarger),
        "connect RALU Fit Latent Enlarger, or nothing",
        optional=True,
    ),
    "clip": Kind("a CLIP", _has("tokenize", "encode_from_tokens_scheduled"), "connect Load CLIP"),
    "text": Kind("a text", lambda value: isinstance(value, str), "connect a STRING, or write"),
    "region_mask": Kind("a MASK", _is_mask, "connect a mask, or nothing", optional=True),
    "image": Kind("an IMAGE", _is_image, "connect Load Image"),
    "noise": Kind("a NOISE", _has("generate_noise"), "connect RandomNoise"),
    "guider": Kind(
        "a GUIDER", _has("sample", "model_patcher", "original_conds"), "connect CFGGuider"
    ),
    "sampler": Kind("a SAMPLER", _is_sampler, "connect KSamplerSelect"),
}
CHOICES = {"edge_detector": (*SCORES, AUTO), "upsampling": GROWTHS, "quality": QUALITIES}


def check_sockets(**values: Any) -> None:
    """ValueError for the first value that its socket does not take."""
    for name, value in values.items():
        kind = SOCKETS[name]
        if not (value is None and kind.optional) and not kind.fits(value):
            raise ValueError(
                f"The socket {name} takes {kind.words}, got {_shown(value)}: {kind.way_out}."
            )


def check_numbers(**values: Any) -> None:
    """ValueError for the first widget's value that is no number; a wire may bring anything."""
    for name, value in values.items():
        if not isinstance(value, Real) or math.isnan(value):
            raise ValueError(f"The {name} must be a number, got {_shown(value)}: set it anew.")


def check_counts(**values: Any) -> None:
    """ValueError for the first widget's value that counts nothing."""
    check_numbers(**values)
    for name, value in values.items():
        if value < 0 or value % 1:
            raise ValueError(
                f"The {name} must be a whole number from 0 on, got {_shown(value)}: set it anew."
            )


def check_choices(**values: Any) -> None:
    """ValueError for the first value that is no text, so none of its widget's choices."""
    for name, value in values.items():
        if not isinstance(value, str):
            raise ValueError(
                f"The {name} must be one of {', '.join(CHOICES[name])}, got {_shown(value)}."
            )


def _shown(value: Any) -> str:
    """A value in a few words."""
    if value is None:
        return "nothing"
    if torch.is_tensor(value):
        return f"numbers of shape {tuple(value.shape)}"
    kind = type(value).__name__
    if isinstance(value, str | Real):
        text = repr(value)
        return f"{kind} {text if len(text) < 40 else text[:37] + '...'}"
    return f"a {kind}"
