"""Conditioning as the three stages need it: copies of the host's dicts, never changed in place."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import torch
from comfy.utils import common_upscale

from ....ralu_core.latents.frame import Frame
from ....ralu_core.latents.layout import Layout
from ....ralu_core.latents.packing import Packing
from ....ralu_core.latents.space import Space
from ....ralu_core.latents.tokens import spread
from .control import RememberingVae, TwoPassControl, copy_chain, links
from .finite import check_finite

log = logging.getLogger(__name__)

Conds = dict[str, list[dict]]
TEXT = ("cross_attn", "pooled_output")  # in an entry, what a text encoder made
BIAS = "attention_mask"
AREA_FADE = 8  # the host's latent pixels over which the host fades an area's inner borders


def check_conds(conds: Conds, width: int | None, unread: Collection[str] = ()) -> None:
    """Refuse empty conditioning, which the host would silently sample as if nothing were asked.

    width   of the text vectors that the MODEL reads; others belong to another model. None: any.
    unread  names of those that no call of the model reads.
    """
    for name, entries in conds.items():
        if name in unread:
            continue
        if not entries:
            raise ValueError(
                f"RALU needs conditioning, and the {name} input is empty: connect a text encode "
                "node (ConditioningZeroOut makes a neutral negative)."
            )
        for entry in entries:
            text = entry.get("cross_attn")
            if text is not None and width is not None and text.shape[-1] != width:
                raise ValueError(
                    f"This MODEL reads text vectors of width {width}, and the {name} input has "
                    f"{text.shape[-1]}: encode the prompt with the model's own CLIP."
                )
            _check_numbers(name, entry)


def _check_numbers(name: str, entry: dict) -> None:
    """Refuse what a text encoder or a VAE of too small a type made: it would spoil every step."""
    text_way = "start ComfyUI with --fp32-text-enc, or load another text encoder"
    picture_way = "start ComfyUI with --fp32-vae, and make anew what is wired there"
    for key, value in entry.items():
        way = text_way if key in TEXT else picture_way
        for one in value if isinstance(value, list | tuple) else (value,):
            if isinstance(one, float) and math.isnan(one):
                raise ValueError(f"The {key} of the {name} input must be a number: set it anew.")
            if torch.is_tensor(one):
                if key == BIAS:  # minus infinity leaves a token out
                    one = one.masked_fill(torch.isinf(one), 0)
                check_finite(one, f"{key} of the {name} input", way)
    for link in links(entry.get("control")):
        hint, strength = link.cond_hint_original, getattr(link, "strength", 1.0)
        if hint is not None:
            check_finite(hint, f"hint of the ControlNet at the {name} input", picture_way)
        if isinstance(strength, float) and not math.isfinite(strength):
            raise ValueError(
                f"The strength of the ControlNet at the {name} input must be a number, got "
                f"{strength}: set it anew."
            )


def fit_to_frame(conds: Conds, frame: Frame, has_layers: bool = False) -> Conds:
    """Turn areas into masks and extend everything spatial to the frame that is sampled.

    A cropped area cannot be packed, and its place would differ between stages; as a mask the same
    prompt is weighed over the same part, and sees the whole frame. In a frame that is exact no
    stage needs that, and the host crops the call to the area, which is less work. ValueError for an
    area outside the picture; that of a prompt which no call reads, too, as the host asks all others
    for the same area.

    has_layers  whether frames are layers, for which the host takes several masks of a prompt; else
                they are of one frame each, and it must not.
    """
    for entry in (entry for entries in conds.values() for entry in entries):
        if entry.get("area") is not None and not _is_bounded(entry):
            _check_area(entry["area"], frame)
    prepare = _ControlPreparer(frame)
    extend = partial(_extend, frame=frame, prepare=prepare, has_layers=has_layers)
    return {
        name: [extend(_as_mask(entry, frame)) for entry in entries]
        for name, entries in conds.items()
    }


def options_of_hooks(conds: Conds) -> list[dict]:
    """What hooks of prompts add to transformer_options, once for each prompt that has them."""
    groups = (entry.get("hooks") for entries in conds.values() for entry in entries or ())
    hooks = (hook for group in groups if group is not None for hook in group.hooks)
    return [held for hook in hooks if (held := getattr(hook, "transformers_dict", None))]


def has_areas(conds: Conds) -> bool:
    """Whether a prompt is for a part of the picture alone."""
    return any(_is_area(entry) for entries in conds.values() for entry in entries)


def _is_area(entry: dict) -> bool:
    return _is_bounded(entry) or entry.get("area") is not None


def _is_bounded(entry: dict) -> bool:
    """Whether the host takes the bounds of a mask for its area, whatever the area was."""
    return entry.get("set_area_to_bounds", False) and "mask" in entry


def _check_area(area: tuple, frame: Frame) -> None:
    """Refuse, before sampling, what the host fails on in the first call of the model."""
    (top, _, height), (left, _, width) = _area_axes(area, frame)
    past = 0 if frame.exact else 1  # at the edge itself a mask weighs nothing, and a crop is empty
    if top >= height + past or left >= width + past:
        x, y = (side * frame.space.host_pixels for side in (left, top))
        raise ValueError(
            f"An area prompt must begin within the picture, {frame.size} pixels, got one that "
            f"begins at x {x} and y {y}: set its x and y anew."
        )


def _as_mask(entry: dict, frame: Frame) -> dict:
    """The entry with its area, and a mask's bounds, told by the mask alone."""
    fitted = dict(entry)
    if frame.exact or not _is_area(entry):
        return fitted
    area = fitted.pop("area", None)
    fitted.pop("set_area_to_bounds", None)
    if not _is_bounded(entry):
        mask = fitted.get("mask")
        whole = area_mask(area, frame) if mask is None else _inside(mask, area, frame)
        fitted["mask"] = whole
    log.info("RALU turned an area prompt into a mask prompt; it sees the whole frame.")
    return fitted


def _extend(entry: dict, frame: Frame, prepare: Callable, has_layers: bool) -> dict:
    extended = dict(entry)
    if entry.get("control") is not None:
        extended["control"] = prepare(entry["control"])
    if frame.space.has_frames and not has_layers and torch.is_tensor(entry.get("mask")):
        extended["mask"] = entry["mask"].reshape(-1, 1, *entry["mask"].shape[-2:])
    if frame.is_whole:
        return extended
    for key in ("mask", "concat_latent_image", "concat_mask"):
        if torch.is_tensor(entry.get(key)):
            extended[key] = frame.extend(extended[key])
    return extended


class _ControlPreparer:
    """Fits copies of ControlNets for a run; entries that share one share its copy.

    Their hints are extended to the frame, and their VAEs remember what they encoded.
    """

    def __init__(self, frame: Frame):
        self.frame = frame
        self.copies: dict[int, Any] = {}

    def __call__(self, control):
        if id(control) not in self.copies:
            self.copies[id(control)] = self._prepared(control)
        return self.copies[id(control)]

    def _prepared(self, control):
        if self.frame.is_whole and all(link.vae is None for link in links(control)):
            return control
        copied = copy_chain(control)
        for link in links(copied):
            link.cond_hint_original = self._extended(link.cond_hint_original)
            link.extra_concat_orig = [self._extended(c) for c in link.extra_concat_orig]
            link.vae = None if link.vae is None else RememberingVae(link.vae)
        return copied

    def _extended(self, hint: torch.Tensor) -> torch.Tensor:
        """A hint on the frame: of its middle, which the host takes where shapes differ."""
        if self.frame.is_whole:
            return hint
        (h, w), (height, width) = hint.shape[-2:], self.frame.picture
        top = max(0, round((h - w * height / width) / 2))
        left = max(0, round((w - h * width / height) / 2))
        return self.frame.extend(hint[..., top : h - top, left : w - left])


def area_mask(area: tuple, frame: Frame) -> torch.Tensor:
    """The weight that the host gives an area, as a mask (1, height, width) in its latent pixels.

    area  (height, width, y, x) in the host's latent pixels, or in shares after "percentage"; before
          height and y a video's tells frames. Borders inside the picture fade over up to 8 pixels;
          those on its edge do not.
    """
    rows, columns = (
        _area_profile(start, span, size) for start, span, size in _area_axes(area, frame)
    )
    return torch.outer(rows, columns)[None]


def _host_size(frame: Frame) -> tuple[int, int]:
    """Height and width of the picture in the host's latent pixels."""
    return frame.height // frame.space.fold, frame.width // frame.space.fold


def _area_axes(area: tuple, frame: Frame) -> list[tuple[int, int, int]]:
    """First latent pixel, length and size of the picture, for rows and for columns."""
    sizes = _host_size(frame)
    in_shares = area[0] == "percentage"
    values = area[1:] if in_shares else area
    half = len(values) // 2
    spans, starts = values[:half][-2:], values[half:][-2:]
    if in_shares:
        spans = [max(1, round(s * n)) for s, n in zip(spans, sizes, strict=True)]
        starts = [round(s * n) for s, n in zip(starts, sizes, strict=True)]
    axes = zip(starts, spans, sizes, strict=True)
    return [(start, min(span, size - start), size) for start, span, size in axes]


def _inside(mask: torch.Tensor, area: tuple, frame: Frame) -> torch.Tensor:
    """A mask cut off at an area's border, (B, height, width) in latent pixels."""
    mask = _resize(mask, *_host_size(frame))
    inside = torch.zeros_like(mask)
    (top, height, _), (left, width, _) = _area_axes(area, frame)
    inside[:, top : top + height, left : left + width] = 1
    return mask * inside


def _area_profile(start: int, span: int, size: int) -> torch.Tensor:
    fade = min(AREA_FADE, span // 4)
    inside = torch.ones(span)
    ramp = torch.arange(1, fade + 1) / max(fade, 1)
    if start > 0:
        inside[:fade] *= ramp
    if start + span < size:
        inside[span - fade :] *= ramp.flip(0)
    profile = torch.zeros(size)
    profile[start : start + span] = inside
    return profile


def _resize(mask: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """A mask as the host brings it to a latent's size: (B, height, width)."""
    mask = mask.reshape(-1, 1, *mask.shape[-2:])
    return common_upscale(mask, width, height, "bilinear", "none")[:, 0]


def fit_to_layout(conds: Conds, layout: Layout, packings: list[Packing], space: Space) -> Conds:
    """Conds for the mixed stage: masks are coarse where the state is, ControlNets run twice.

    layout    of the whole batch; packings are its own.
    What several entries share stays shared, so that the host can still batch them.
    """
    stand_ins: dict[int, TwoPassControl] = {}

    def fit(entry: dict) -> dict:
        fitted = dict(entry)
        if torch.is_tensor(entry.get("mask")):
            fitted["mask"] = _mixed_mask(entry["mask"], layout, space)
        control = entry.get("control")
        if control is not None:
            if id(control) not in stand_ins:
                stand_ins[id(control)] = TwoPassControl(control, packings, space)
            fitted["control"] = stand_ins[id(control)]
        return fitted

    return {name: [fit(entry) for entry in entries] for name, entries in conds.items()}


def _mixed_mask(mask: torch.Tensor, layout: Layout, space: Space) -> torch.Tensor:
    """The mask at each region's own resolution: (B, height, width) of the host's full latent, and
    of one frame where it has those."""
    layout = layout.folded(space.fold)
    h, w = layout.latent_size
    mask = mask[: layout.batch].to(layout.fine.device)
    full, coarse = _resize(mask, h, w), spread(_resize(mask, h // 2, w // 2))
    rows = (layout.batch // mask.shape[0], 1, 1)
    mixed = torch.where(layout.fine_pixels[:, 0], full.repeat(rows), coarse.repeat(rows))
    return mixed[:, None] if space.has_frames else mixed
