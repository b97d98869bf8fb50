"""Check and prepare what users wire in, before anything is sampled."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence

import comfy.model_management
import comfy.sample
import torch

from ...ralu_core.latents.frame import Frame
from ...ralu_core.latents.space import Space
from ...ralu_core.plans import Plan
from ...ralu_core.plans.text import count_of_steps
from ...ralu_core.scores import Need, Score, mask_regions, score_named
from ...ralu_core.scores.canny import Canny
from ...ralu_core.scores.canny_gpu import CannyGpu
from ...ralu_core.scores.latent_gradient import LatentGradient
from .families.family import Family
from .sampling.finite import check_finite

FP32_VAE = "start ComfyUI with --fp32-vae, and encode or decode the picture anew"
AUTO = "auto"
LETTERED = "Lettering", "encode with CLIP Text Encode, and paint it as a region_mask"
MAX_PIXELS = 2**30  # a latent of 1 GiB, of which a run holds about ten


def latent_samples(patcher, latent: dict, family: Family) -> torch.Tensor:
    """The (B, C*T, H, W) latent of a LATENT in the model's space; an empty one gets its channels.

    ValueError for parts, frames or channels of another model's, for more pictures than memory
    holds, and for values that are not numbers.
    """
    samples, space = latent["samples"], family.space
    check_still(samples, (4, 5) if space.has_frames else (4,))
    h, w = (side * space.fold for side in samples.shape[-2:])
    check_memory(Frame(h, w, space), samples.shape[0] * math.prod(samples.shape[2:-2]))
    fix = comfy.sample.fix_empty_latent_channels
    known = inspect.signature(fix).parameters
    ratios = ("downscale_ratio_spacial", "downscale_ratio_temporal")
    samples = fix(patcher, samples, **{k: latent.get(k) for k in ratios if k in known})
    if samples.shape[1] != space.host_channels:
        raise ValueError(
            f"This MODEL samples latents of {space.host_channels} channels, got "
            f"{samples.shape[1]}: encode the picture with the model's own VAE."
        )
    if samples.ndim == 5 and samples.shape[2] != 1 and not family.has_layers:
        raise ValueError(
            f"RALU samples still pictures, got a latent of {samples.shape[2]} frames: set "
            "its length to 1, or use a KSampler."
        )
    check_finite(samples, "LATENT", FP32_VAE)
    return space.enter(samples)


def check_still(samples, dimensions: Sequence[int]) -> None:
    """Refuse samples of anything but pictures; (B, C, H, W) or, with frames, (B, C, T, H, W)."""
    if getattr(samples, "is_nested", False):
        got = f"a latent of {len(samples.unbind())} parts, as of a video and its sound"
    elif samples.ndim not in dimensions:
        got = f"a latent of {samples.ndim} dimensions"
    else:
        return
    raise ValueError(
        f"RALU samples still pictures, got {got}: use an Empty SD3 Latent Image or a VAE Encode of "
        "a picture."
    )


def colours(image: torch.Tensor) -> torch.Tensor:
    """(B, H, W, 3) of an IMAGE; a grey one has one channel, and alpha comes last."""
    if not image.is_floating_point() or image.shape[-1] not in (1, 2, 3, 4):
        raise ValueError(
            "An IMAGE holds numbers from 0 to 1 in 1 to 4 channels, got "
            f"{str(image.dtype).removeprefix('torch.')} in {image.shape[-1]}: load the picture "
            "with Load Image."
        )
    channels = 3 if image.shape[-1] > 2 else 1
    return image[..., :channels].float().expand(*image.shape[:-1], 3)


def check_memory(frame: Frame, batch: int) -> None:
    """Refuse, before anything of its size is allocated, a batch that no computer holds."""
    if batch < 1:
        raise ValueError(
            "RALU needs a picture to work on, and this batch holds no picture: connect a LATENT or "
            "an IMAGE of at least one."
        )
    height, width = frame.picture
    pixels = batch * width * height
    if pixels > MAX_PIXELS:
        raise ValueError(
            f"RALU samples at most {MAX_PIXELS >> 20} million pixels at once, got {batch} of "
            f"{frame.size}: use a smaller batch or picture."
        )


def check_guider(guider) -> None:
    """Refuse a GUIDER whose numbers are none, by what nodes name them: cfg, cfg1, neg_scale."""
    for name, value in vars(guider).items():
        if isinstance(value, float) and (
            math.isnan(value) or (name.startswith("cfg") and math.isinf(value))
        ):
            raise ValueError(
                f"The {name} of the GUIDER {type(guider).__name__} must be a number, got {value}: "
                "set it anew."
            )


def check_own_latent(guider) -> None:
    """Refuse a GUIDER with a LATENT of its own, for a plan whose stages differ in size."""
    for value in vars(guider).values():
        if isinstance(value, Mapping) and isinstance(value.get("samples"), torch.Tensor):
            raise ValueError(
                f"The GUIDER {type(guider).__name__} brings a LATENT of one size, and the stages "
                "of this plan differ in size: take fine, balanced or draft, or another guider."
            )


def check_vae(vae, detector: str, space: Space) -> None:
    """A missing or foreign VAE is refused before stage 1, not after it."""
    if Need.PICTURE not in score_named(detector).needs:
        return
    if vae is None:
        raise ValueError(
            f"The edge detector {detector} looks at the decoded picture, so RALU needs a VAE: "
            "connect one, or set the detector to latent_gradient."
        )
    channels = getattr(vae, "latent_channels", space.host_channels)
    dimensions = 3 if space.has_frames else 2
    if getattr(vae, "latent_dim", dimensions) != dimensions:
        wanted, got = (
            ("videos", "still pictures") if space.has_frames else ("still pictures", "videos")
        )
        raise ValueError(
            f"This MODEL needs a VAE of {wanted}, got one of {got}: load the VAE that "
            "belongs to the model."
        )
    if channels != space.host_channels:
        raise ValueError(
            f"This MODEL needs a VAE of {space.host_channels} latent channels, got one of "
            f"{channels}: load the VAE that belongs to the model."
        )


def score_for(detector: str, has_picture: bool) -> str:
    """The detector; for AUTO one that looks at the picture, where it is there or can be decoded."""
    if detector != AUTO:
        return detector
    if not has_picture:
        return LatentGradient.name
    try:
        score_named(Canny.name).check()
    except ImportError:  # it finds the very same edges, without OpenCV
        return CannyGpu.name
    return Canny.name


def check_text(detector: str, family: Family, options: dict, lettering: bool = False) -> None:
    """Refuse, before sampling, to watch the attention to a text where nobody knows its place.

    options    the transformer_options of the MODEL.
    lettering  whether words in quotes are watched.
    """
    if Need.ATTENTION in score_named(detector).needs:
        who, way_out = f"The {detector} detector", "choose another edge detector"
    elif lettering:
        who, way_out = LETTERED
    else:
        return
    if not family.text_first:
        raise ValueError(
            f"{who} watches an attention over text and picture, text first, and {family.short} has "
            f"none: {way_out}."
        )
    if options.get("patches", {}).get("post_input"):
        raise ValueError(
            f"{who} watches the attention to the text, and a model patch adds tokens of its own "
            f"beside it: remove the patch, or {way_out}."
        )


def check_history(detector: str, plan: Plan, lettering: bool) -> None:
    """Refuse, before sampling, a score of steps where too few come before its choice.

    lettering  whether words in quotes are watched in a step before it.
    """
    own = score_named(detector).least_steps
    least = max(own, int(lettering))
    steps = plan.steps_before_regions
    if steps < least:
        who, way_out = (f"The {detector} detector", "choose another one") if own else LETTERED
        raise ValueError(
            f"{who} needs {count_of_steps(least)} of the stage before the regions are chosen, and "
            f"this run takes {steps} there: give stage 1 more, raise denoise if it is below 1, or "
            f"{way_out}."
        )


def check_detector(detector: str, vae, space: Space, threshold: float = 0.0) -> None:
    """Refuse, before anything is sampled, a detector that lacks a library or a VAE, and a threshold
    of one that counts no edge pixels."""
    chosen = score_for(detector, vae is not None)
    score_named(chosen).check()
    check_vae(vae, chosen, space)
    check_threshold(chosen, threshold, by_auto=detector == AUTO)


def check_threshold(detector: str, threshold: float, by_auto: bool = False) -> None:
    """Refuse a threshold of a detector that counts no edge pixels; 0 is none.

    by_auto  whether AUTO chose it, for want of a picture to look at.
    """
    if not threshold > 0 or score_named(detector).is_share:
        return
    way_out = "connect a vae" if by_auto else f"choose {Canny.name} or {CannyGpu.name}"
    raise ValueError(
        f"An edge_threshold is a share of edge pixels, and the {detector} detector counts none, "
        f"got {threshold:g}: set edge_threshold to 0, or {way_out}."
    )


def placed_for(detector: str | Score, picture: torch.Tensor) -> torch.Tensor:
    """A decoded picture where the detector looks at it: some do on the GPU, if there is one."""
    if not score_named(detector).on_device:
        return picture
    return picture.to(comfy.model_management.get_torch_device())


def always_regions(mask: torch.Tensor | None, frame: Frame, batch: int) -> torch.Tensor | None:
    """Coarse tokens under a MASK input: (B, rows, columns) bool, or None without one.

    ValueError for a mask of another shape than the picture's, of another number of pictures, or
    with values that are not numbers.
    """
    if mask is None:
        return None
    check_finite(mask, "region_mask", "paint it anew")
    mask = mask.reshape(-1, *mask.shape[-2:]).float()
    h, w = mask.shape[-2:]
    if abs(h * frame.width - w * frame.height) > max(h, w):  # more than a rounded pixel off
        raise ValueError(
            f"The region mask must have the shape of the picture, {frame.size} pixels or that at "
            f"another scale, got {w}x{h}: resize or crop the mask."
        )
    if mask.shape[0] not in (1, batch):
        raise ValueError(
            f"The region mask must hold 1 mask or one per picture ({batch}), got {mask.shape[0]}: "
            "connect one for all, or cut the batch with MaskToImage, ImageFromBatch, ImageToMask."
        )
    return mask_regions(frame.extend(mask), frame.grid).expand(batch, -1, -1)
