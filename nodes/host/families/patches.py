"""Model patches that a packed call cannot carry: those that fit a picture, or a mask, to it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP

from ....ralu_core.latents.frame import Frame

VAE = ("encode", "decode", "decode_tiled")
COLOURS = (3, 4)  # channels of an IMAGE, which come last
Held = Callable[[str, Any], bool]  # of the name and the value of something that a patch holds
DEPTH = 3  # a function's own, its owner's, and those of a patch that this one shares


def check_patches(options: dict) -> None:
    """ValueError for transformer_options with a patch that holds a VAE, an IMAGE or a MASK.

    Fun control, DiffSynth, LLLite and their kind encode their picture anew at the size of the
    latent that the network sees; a packed call is one row of tokens, onto which it would be
    squeezed. A MASK, as PuLID's attn_mask, has a number for each token of the whole latent. Patches
    that bring numbers of no place, such as USO's style, are carried.
    """
    name = _patch_with(_is_placed, options)
    if name is None:
        return
    held, way_out = "a mask", "disconnect its mask, choose fine, balanced or draft"
    if _patch_with(_is_picture, options) == name:
        held, way_out = "a picture", "remove the patch, use a ControlNet instead"
    raise ValueError(
        "RALU's mixed stage calls the network with one row of tokens, and the model patch "
        f"{name} fits {held} to what it takes for the whole latent: {way_out}, or use a KSampler."
    )


def check_enlarged(options: dict, frame: Frame) -> None:
    """The same where a picture is sampled larger than it is, which would shift the patch's."""
    name = None if frame.is_whole else _patch_with(_is_placed, options)
    if name is not None:
        side = frame.space.coarse_pixels
        raise ValueError(
            f"This plan samples {frame.size} as a part of a larger picture, onto which the model "
            f"patch {name} would stretch its own: make width and height multiples of {side}, "
            "remove the patch, or use a KSampler."
        )


def _patch_with(is_sought: Held, options: dict) -> str | None:
    """Name of a patch that holds what is sought."""
    wrappers = options.get("wrappers", {}).get(WrappersMP.DIFFUSION_MODEL, {})
    patches = _each([options.get("patches", {}), options.get("patches_replace", {}), wrappers])
    return next((_name(patch) for patch in patches if _holds(is_sought, "", patch, DEPTH)), None)


def _each(value: Any) -> Iterator[Any]:
    """Patches in lists and dicts of any depth."""
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, list | tuple):
        yield value
        return
    for one in value:
        yield from _each(one)


def _is_picture(name: str, value: Any) -> bool:
    """Whether it is an IMAGE or a VAE."""
    if torch.is_tensor(value):
        return value.ndim == 4 and value.shape[-1] in COLOURS
    return all(hasattr(value, method) for method in VAE)


def _is_mask(name: str, value: Any) -> bool:
    """Whether it is a MASK, which but for its name is a tensor as embeddings are."""
    said = name.lower()  # a mask over a text has no place in the picture
    is_named = "mask" in said and "text" not in said and torch.is_tensor(value)
    return is_named and value.ndim > 2 and min(value.shape[-2:]) > 1


def _is_placed(name: str, value: Any) -> bool:
    return _is_picture(name, value) or _is_mask(name, value)


def _holds(is_sought: Held, name: str, value: Any, depth: int) -> bool:
    """Whether a value is sought, or holds what is; its name is that of what it lies in."""
    if isinstance(value, type | torch.nn.Module | ModelPatcher):
        return False
    if is_sought(name, value):
        return True
    if torch.is_tensor(value) or depth == 0:
        return False
    return any(_holds(is_sought, named or name, one, depth - 1) for named, one in _held(value))


def _held(value: Any) -> Iterator[tuple[str, Any]]:
    """What a patch was made with, and its names, whichever way its node is written."""
    if isinstance(value, functools.partial):
        yield from (("", one) for one in (value.func, *value.args))
        yield from value.keywords.items()
    yield "", getattr(value, "__self__", None)
    yield from _closed_over(value)
    if isinstance(value, list | tuple):
        yield from (("", one) for one in value)
    elif isinstance(value, dict):
        yield from ((str(key), one) for key, one in value.items())
    elif type(value).__module__ != "builtins":
        yield from getattr(value, "__dict__", {}).items()


def closed_over(function: Any) -> Iterator[Any]:
    """What a function holds of where it was made."""
    return (value for _, value in _closed_over(function))


def _closed_over(function: Any) -> Iterator[tuple[str, Any]]:
    """The same with the names it has there."""
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    for name, cell in zip(names, getattr(function, "__closure__", None) or (), strict=False):
        with contextlib.suppress(ValueError):  # a name that was never set
            yield name, cell.cell_contents


def _name(patch: Any) -> str:
    owner = getattr(patch, "__self__", None)
    named = patch if hasattr(patch, "__qualname__") and owner is None else type(owner or patch)
    return named.__qualname__
