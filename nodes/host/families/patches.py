"""Model patches that a packed call cannot carry: those that fit a picture of their own to it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP

from ....ralu_core.latents.frame import Frame

VAE = ("encode", "decode", "decode_tiled")
COLOURS = (3, 4)  # channels of an IMAGE, which come last
DEPTH = 3  # a function's own, its owner's, and those of a patch that this one shares


def check_patches(options: dict) -> None:
    """ValueError for transformer_options with a patch that holds a VAE or an IMAGE.

    Fun control, DiffSynth, LLLite and their kind encode their picture anew at the size of the
    latent that the network sees; a packed call is one row of tokens, onto which it would be
    squeezed. Patches that bring numbers of no place, such as USO's style, are carried.
    """
    name = _with_picture(options)
    if name is not None:
        raise ValueError(
            f"RALU's mixed stage calls the network with one row of tokens, and the model patch "
            f"{name} fits a picture to what it takes for the whole latent: remove the patch, use a "
            "ControlNet instead, or use a KSampler."
        )


def check_enlarged(options: dict, frame: Frame) -> None:
    """The same where a picture is sampled larger than it is, which would shift the patch's."""
    name = None if frame.is_whole else _with_picture(options)
    if name is not None:
        side = frame.space.coarse_pixels
        raise ValueError(
            f"This plan samples {frame.size} as a part of a larger picture, onto which the model "
            f"patch {name} would stretch its own: make width and height multiples of {side}, "
            "remove the patch, or use a KSampler."
        )


def _with_picture(options: dict) -> str | None:
    """Name of a patch that holds a VAE or an IMAGE."""
    wrappers = options.get("wrappers", {}).get(WrappersMP.DIFFUSION_MODEL, {})
    patches = _each([options.get("patches", {}), options.get("patches_replace", {}), wrappers])
    return next((_name(patch) for patch in patches if _holds_picture(patch, DEPTH)), None)


def _each(value: Any) -> Iterator[Any]:
    """Patches in lists and dicts of any depth."""
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, list | tuple):
        yield value
        return
    for one in value:
        yield from _each(one)


def _holds_picture(value: Any, depth: int) -> bool:
    if torch.is_tensor(value):
        return value.ndim == 4 and value.shape[-1] in COLOURS
    if isinstance(value, type | torch.nn.Module | ModelPatcher):
        return False
    if all(hasattr(value, name) for name in VAE):
        return True
    return depth > 0 and any(_holds_picture(one, depth - 1) for one in _held(value))


def _held(value: Any) -> Iterator[Any]:
    """What a patch was made with, whichever way its node is written."""
    if isinstance(value, functools.partial):
        yield from (value.func, *value.args, *value.keywords.values())
    yield getattr(value, "__self__", None)
    yield from closed_over(value)
    if isinstance(value, list | tuple):
        yield from value
    elif isinstance(value, dict):
        yield from value.values()
    elif type(value).__module__ != "builtins":
        yield from getattr(value, "__dict__", {}).values()


def closed_over(function: Any) -> Iterator[Any]:
    """What a function holds of where it was made."""
    for cell in getattr(function, "__closure__", None) or ():
        with contextlib.suppress(ValueError):  # a name that was never set
            yield cell.cell_contents


def _name(patch: Any) -> str:
    owner = getattr(patch, "__self__", None)
    named = patch if hasattr(patch, "__qualname__") and owner is None else type(owner or patch)
    return named.__qualname__
