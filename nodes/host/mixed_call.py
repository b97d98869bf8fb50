"""Stage 2's model call: pack the mixed state, call the model once on fewer tokens, unpack."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from comfy.patcher_extension import WrappersMP

from ...ralu_core.layout import Layout
from ...ralu_core.tokens import patchify, unpatchify
from .control import check_bank, each_residual
from .positions import token_positions
from .sampling.keys import CACHE, ROWS

IMAGE_CHANNELS = 16
MASK_CHANNELS = 64  # Flux Fill's mask: 8x8 picture pixels per latent pixel


class MixedCall:
    """An APPLY_MODEL wrapper for one stage. It holds a layout and nothing that a call changes.

    The network sees a picture of 2 x 2N latent pixels, that is 1 x N tokens in the layout's order.
    Everything outside (samplers, guidance, masks, other nodes' wrappers) sees full-size latents.
    """

    def __init__(self, layout: Layout):
        self.layout = layout

    def __call__(
        self,
        executor,
        x,
        t,
        c_concat=None,
        c_crossattn=None,
        control=None,
        transformer_options=None,
        **kwargs,
    ):
        if tuple(x.shape[-2:]) != self.layout.latent_size or x.shape[0] % self.layout.batch:
            raise ValueError(
                f"RALU's mixed stage samples {self.layout.batch} whole pictures of latent size "
                f"{self.layout.latent_size}, and was given {tuple(x.shape)}: remove the node that "
                "cuts pictures into tiles or windows, or use a KSampler."
            )
        call = {
            "x": x,
            "t": t,
            "c_concat": c_concat,
            "c_crossattn": c_crossattn,
            "control": control,
            **kwargs,
        }
        options = transformer_options or {}
        if len(self.layout.groups) == 1:
            return _call_packed(executor, self.layout, call, options)
        _check_cache(options)
        out: list[torch.Tensor] = [x] * x.shape[0]
        for items, layout in self.layout.groups:
            rows = _rows_of(items, self.layout.batch, x.shape[0])
            part = select_rows(call, rows, x.shape[0])
            denoised = _call_packed(executor, layout, part, {**options, ROWS: rows})
            for row, one in zip(rows, denoised, strict=True):
                out[row] = one
        return torch.stack(out)


def _rows_of(items: list[int], batch: int, rows: int) -> list[int]:
    return [chunk * batch + item for chunk in range(rows // batch) for item in items]


def select_rows(value: Any, rows: list[int], total: int) -> Any:
    """The given rows of every tensor of `total` rows inside dicts and lists.

    Taken one by one: a list as an index would wait for the device.
    """
    if torch.is_tensor(value):
        if value.ndim and value.shape[0] == total:
            return torch.stack([value[row] for row in rows])
        return value
    if isinstance(value, dict):
        return {key: select_rows(part, rows, total) for key, part in value.items()}
    if isinstance(value, list):
        return [select_rows(part, rows, total) for part in value]
    return value


def _call_packed(executor, layout: Layout, call: dict, transformer_options: dict) -> torch.Tensor:
    x, t = call.pop("x"), call.pop("t")
    layout = layout.to(x.device)
    concat, context, control = (call.pop(k) for k in ("c_concat", "c_crossattn", "control"))
    if concat is not None:
        concat = pack_concat(layout, concat.to(x.device))
    if control is not None:
        control = gather_control(layout, control)
    mask = call.get("attention_mask")
    if mask is not None:  # on the text's device until the host moves it, within this call
        call["attention_mask"] = gather_attention_mask(layout, mask.to(x.device), x.shape[0])
    network = executor.class_obj.diffusion_model
    with token_positions(network, layout, x.shape[0]) as asked:
        out = executor(layout.to_strip(x), t, concat, context, control, transformer_options, **call)
    if not asked and not _was_skipped(transformer_options):
        raise RuntimeError(
            f"RALU told {type(network).__name__} where its tokens lie, and the model did not ask, "
            "because another node replaced the forward pass: remove that node, or use a KSampler "
            "for this MODEL."
        )
    return layout.from_strip(out)


def _was_skipped(transformer_options: dict) -> bool:
    """Whether ComfyUI's EasyCache answered this call from its cache, without the network."""
    return getattr(transformer_options.get(CACHE), "skip_current_step", False)


def _check_cache(transformer_options: dict) -> None:
    wrappers = transformer_options.get("wrappers", {}).get(WrappersMP.DIFFUSION_MODEL, {})
    if CACHE in wrappers:
        raise ValueError(
            "EasyCache remembers one set of tokens, and these pictures have different numbers of "
            "them: set edge_threshold to 0, or sample one picture at a time."
        )


def pack_concat(layout: Layout, concat: torch.Tensor) -> torch.Tensor:
    """Pack the channels that inpaint and control models read beside the latent: (n, C, H, W).

    The coarse version is what the host itself would make for a picture of half the size.
    """
    image, mask = concat[:, :IMAGE_CHANNELS], concat[:, IMAGE_CHANNELS:]
    coarse = F.avg_pool2d(image, 2)
    if mask.shape[1] == MASK_CHANNELS:
        pixels = F.pixel_shuffle(mask, 8)
        coarse = torch.cat([coarse, F.pixel_unshuffle(F.avg_pool2d(pixels, 2), 8)], dim=1)
    elif mask.shape[1]:
        raise ValueError(
            f"RALU knows concat conditioning of 16 or 80 channels, got {concat.shape[1]}: "
            "use a KSampler for this MODEL."
        )
    tokens = layout.gather(patchify(coarse), patchify(concat))
    return unpatchify(tokens, 1, tokens.shape[1])


def gather_control(layout: Layout, control: dict) -> dict:
    """ControlNet residuals of the layout's tokens, from what `control.TwoPassControl` made.

    It gathers them where all pictures have equally many tokens, and else leaves a bank of both
    sizes for each group of pictures to take its own from.
    """

    def rows_of(residual: torch.Tensor) -> torch.Tensor:
        if residual.shape[1] == layout.index.shape[1]:
            return residual
        check_bank(residual, layout)
        return layout.take(residual)

    return each_residual(rows_of, control)


def gather_attention_mask(layout: Layout, mask: torch.Tensor, rows: int) -> torch.Tensor:
    """(b, T + 4hw, T + 4hw) attention bias -> (rows, T + N, T + N); coarse tokens take means."""
    mask = mask.expand(rows, -1, -1) if mask.shape[0] == 1 else mask
    return _gather_image_rows(layout, _gather_image_rows(layout, mask).mT).mT


def _gather_image_rows(layout: Layout, mask: torch.Tensor) -> torch.Tensor:
    h, w = layout.grid
    text = mask.shape[1] - 4 * h * w
    fine = mask[:, text:]
    children = fine.reshape(mask.shape[0], h, 2, w, 2, -1)
    coarse = children.mean(dim=(2, 4)).reshape(mask.shape[0], h * w, -1)
    return torch.cat([mask[:, :text], layout.gather(coarse, fine)], dim=1)
