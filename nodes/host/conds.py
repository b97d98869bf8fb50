"""Conditioning as the three stages need it: copies of the host's dicts, never changed in place."""

from __future__ import annotations

import logging

import torch

from .canvas import Canvas
from .control import TwoPassControl, copy_chain

log = logging.getLogger(__name__)

Conds = dict[str, list[dict]]
AREA_FADE = 8  # latent pixels over which the host fades an area's inner borders


def check_conds(conds: Conds) -> None:
    """Refuse empty conditioning, which the host would silently sample as if nothing were asked."""
    for name, entries in conds.items():
        if not entries:
            raise ValueError(
                f"RALU needs conditioning, and the {name} input is empty: connect a text encode "
                "node (ConditioningZeroOut makes a neutral negative)."
            )


def fit_to_canvas(conds: Conds, canvas: Canvas) -> Conds:
    """Turn areas into masks and extend everything spatial to the canvas that is sampled.

    A cropped area cannot be packed, and its place would differ between stages; as a mask the same
    prompt is weighed over the same part, and sees the whole frame.
    """
    return {name: [_fit(entry, canvas) for entry in entries] for name, entries in conds.items()}


def _fit(entry: dict, canvas: Canvas) -> dict:
    fitted = dict(entry)
    if "area" in fitted:
        area = fitted.pop("area")
        if "mask" in fitted:
            log.info("RALU weighs an area prompt by its mask over the whole frame.")
        else:
            fitted["mask"] = area_mask(area, canvas)
            log.info("RALU turned an area prompt into a mask prompt; it sees the whole frame.")
    if fitted.get("set_area_to_bounds"):
        fitted["set_area_to_bounds"] = False
    if canvas.is_whole:
        return fitted
    for key in ("mask", "concat_latent_image", "concat_mask"):
        if torch.is_tensor(fitted.get(key)):
            fitted[key] = canvas.extend(fitted[key])
    if fitted.get("control") is not None:
        fitted["control"] = _extend_hints(fitted["control"], canvas)
    return fitted


def _extend_hints(control, canvas: Canvas):
    extended = copy_chain(control)
    link = extended
    while link is not None:
        if torch.is_tensor(link.cond_hint_original):
            link.cond_hint_original = canvas.extend(link.cond_hint_original)
        link = link.previous_controlnet
    return extended


def area_mask(area: tuple, canvas: Canvas) -> torch.Tensor:
    """The weight that the host gives an area, as a mask (1, height, width) in latent pixels.

    area  (height, width, y, x) in latent pixels, or ("percentage", height, width, y, x) in shares.
          Borders inside the picture fade over up to 8 pixels; those on its edge do not.
    """
    sizes = (canvas.height, canvas.width)
    if area[0] == "percentage":
        spans = [max(1, round(s * n)) for s, n in zip(area[1:3], sizes, strict=True)]
        starts = [round(s * n) for s, n in zip(area[3:5], sizes, strict=True)]
    else:
        spans, starts = list(area[:2]), list(area[2:4])
    rows, columns = (_area_profile(*axis) for axis in zip(starts, spans, sizes, strict=True))
    return torch.outer(rows, columns)[None]


def _area_profile(start: int, span: int, size: int) -> torch.Tensor:
    span = min(span, size - start)
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


def with_two_pass_control(conds: Conds) -> Conds:
    """Conds for the mixed stage: every ControlNet runs at both resolutions; shared ones stay so."""
    stand_ins: dict[int, TwoPassControl] = {}

    def swap(entry: dict) -> dict:
        control = entry.get("control")
        if control is None:
            return entry
        if id(control) not in stand_ins:
            stand_ins[id(control)] = TwoPassControl(control)
        return {**entry, "control": stand_ins[id(control)]}

    return {name: [swap(entry) for entry in entries] for name, entries in conds.items()}
