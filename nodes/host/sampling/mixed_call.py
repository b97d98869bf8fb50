"""The mixed stage's model call: pack the state, call the model once on fewer tokens, unpack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import lt
from typing import Any

import torch
from comfy.patcher_extension import WrappersMP

from ....ralu_core.latents.packing import Packing
from ..families.family import Family
from ..families.inspect import unwrapped
from .arguments import Arguments
from .keys import CACHE, MAG_CACHE
from .places import check_asked
from .views import Seen, check_split

WAY_OUT_OF_TILES = "remove the node that cuts pictures into tiles or windows, or use a KSampler"


class MixedCall:
    """An APPLY_MODEL wrapper for one stage. It holds packings and nothing that a call changes.

    The network sees a picture of one row of tokens, in the packing's order. Everything outside
    (samplers, guidance, masks, other nodes' wrappers) sees full-size latents.
    """

    def __init__(self, packings: list[Packing], family: Family):
        self.packings, self.family = packings, family
        self.batch = sum(len(packing.items) for packing in packings)

    def __call__(self, executor, *args, **kwargs):
        call = Arguments.of(*args, **kwargs)
        x = call.x
        self._check(x, call.options)
        call = replace(call, x=self.family.space.enter(x))
        if len(self.packings) == 1:
            return self._packed(executor, self.packings[0], call)
        _check_cache(call.options)
        out: list[torch.Tensor] = [x] * x.shape[0]
        for packing in self.packings:
            rows = _rows_of(packing.items, self.batch, x.shape[0])
            denoised = self._packed(executor, packing, call.rows(rows))
            for row, one in zip(rows, denoised, strict=True):
                out[row] = one
        return torch.stack(out)

    def _check(self, x: torch.Tensor, options: dict) -> None:
        self.family.check_call(options)
        size = self.packings[0].layout.latent_size
        fold = self.family.space.fold
        expected = (size[0] // fold, size[1] // fold)
        if tuple(x.shape[-2:]) != expected or x.shape[0] % self.batch:
            raise ValueError(
                f"RALU's mixed stage samples {self.batch} whole pictures of latent size "
                f"{expected}, and was given {tuple(x.shape)}: choose a sampler that keeps to them, "
                f"{WAY_OUT_OF_TILES}."
            )

    def _packed(self, executor, packing: Packing, call: Arguments) -> torch.Tensor:
        """The host's estimate for rows of one packing, in the host's form."""
        family, rows, device = self.family, call.x.shape[0], call.x.device
        packing = packing.to(device)
        concat, control, more = call.concat, call.control, dict(call.more)
        if concat is not None:
            concat = family.concat(packing, concat.to(device))
        if control is not None:
            control = family.control(packing, control)
        mask = more.get("attention_mask")
        if mask is not None:  # on the text's device until the host moves it, within this call
            more["attention_mask"] = family.attention_mask(packing, mask.to(device), rows)
        network = unwrapped(executor.class_obj.diffusion_model)
        strip = family.space.leave(packing.to_strip(call.x))
        with family.positions(network, family.placed(packing, call.options), rows) as asked:
            seen = Seen.by_size(family.views, network, packing, asked, call.context, call.options)
            more = seen.masks(more)
            out = executor(strip, call.t, concat, seen.context, control, seen.options, **more)
        if not _was_skipped(call.options):
            check_split(seen, network)
            check_asked(network, asked)
        return family.space.leave(packing.from_strip(family.space.enter(out)))


def _rows_of(items: list[int], batch: int, rows: int) -> list[int]:
    return [chunk * batch + item for chunk in range(rows // batch) for item in items]


def _was_skipped(transformer_options: dict) -> bool:
    """Whether ComfyUI's EasyCache answered this call from its cache, without the network."""
    return getattr(transformer_options.get(CACHE), "skip_current_step", False)


def check_whole(model_options: dict, shape: Sequence[int]) -> None:
    """ValueError, before a run, for tiles and context windows that latents of a shape do not fit
    into."""
    _check_tiles(model_options.get("model_function_wrapper"), shape)
    handler = model_options.get("context_handler")
    axis, longest = (getattr(handler, name, None) for name in ("dim", "context_length"))
    if axis is None or longest is None or axis >= len(shape) or shape[axis] <= longest:
        return
    raise ValueError(
        f"RALU's mixed stage samples whole pictures, and context windows of {longest} cut this "
        f"latent, {shape[axis]} long on axis {axis}: {WAY_OUT_OF_TILES}."
    )


def _check_tiles(wrapper: Any, shape: Sequence[int]) -> None:
    """Of a wrapper of the model's call that says how large its tiles are, as Tiled Diffusion's."""
    told = (getattr(wrapper, name, None) for name in ("tile_height", "tile_width"))
    tile = [one for one in told if isinstance(one, int) and one > 0]
    if len(tile) == 2 and any(map(lt, tile, shape[-2:])):
        raise ValueError(
            f"RALU's mixed stage samples whole pictures, and tiles of {tile[0]}x{tile[1]} cut this "
            f"latent of {shape[-2]}x{shape[-1]}: {WAY_OUT_OF_TILES}."
        )


def check_cached(wrappers: dict, family: Family, batch: int) -> None:
    """ValueError, before a run, for EasyCache on a family whose pictures are called one by one."""
    if batch > 1 and family.one_table and CACHE in wrappers.get(WrappersMP.DIFFUSION_MODEL, {}):
        raise ValueError(
            "EasyCache remembers one set of tokens, and pictures of a batch that grow other "
            f"regions need a call of {family.short} each: sample one picture at a time, or remove "
            "EasyCache."
        )


def check_remembered(transformer_options: dict) -> None:
    """ValueError, before a run of several sizes, for a cache of another pack that holds one."""
    if MAG_CACHE in transformer_options:
        raise ValueError(
            "MagCache adds what an earlier step computed for as many tokens, and the stages of "
            "this plan differ in number of tokens: remove MagCache, or take fine, balanced or "
            "draft."
        )


def _check_cache(transformer_options: dict) -> None:
    wrappers = transformer_options.get("wrappers", {}).get(WrappersMP.DIFFUSION_MODEL, {})
    if CACHE in wrappers:
        raise ValueError(
            "EasyCache remembers one set of tokens, and these pictures have different numbers of "
            "them: set edge_threshold to 0, or sample one picture at a time."
        )
