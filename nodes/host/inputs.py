"""Check and prepare what users wire in, before anything is sampled."""

from __future__ import annotations

import inspect

import comfy.model_management
import comfy.sample
import comfy.samplers
import torch

from ...ralu_core.edges import needs_image
from ...ralu_core.noise import white_noise
from ...ralu_core.regions import mask_regions
from .canvas import Canvas
from .gate import LATENT_CHANNELS

# These leave a flow at another noise level than they were asked for: the first two choose levels of
# their own, ipndm_v diverges where steps are uneven, sa_solver omits the last step of a stage in
# ComfyUI 0.3.75, the others add noise as for other models.
REFUSED_SAMPLERS = (
    "dpm_fast",
    "dpm_adaptive",
    "ipndm_v",
    "sa_solver",
    "sa_solver_pece",
    "ddpm",
    "dpmpp_2s_ancestral_cfg_pp",
    "res_multistep_ancestral",
    "res_multistep_ancestral_cfg_pp",
)
MAX_PIXELS = 2**30  # a latent of 1 GiB, of which a run holds about ten
SAMPLER_NAMES = [name for name in comfy.samplers.SAMPLER_NAMES if name not in REFUSED_SAMPLERS]


def latent_samples(patcher, latent: dict) -> torch.Tensor:
    """The (B, 16, H, W) latent of a LATENT; an empty one gets the model's channels, as in core."""
    samples = latent["samples"]
    if getattr(samples, "is_nested", False) or samples.ndim != 4:
        raise ValueError(
            f"RALU samples still pictures, got a latent of {samples.ndim} dimensions: "
            "use an Empty SD3 Latent Image or a VAE Encode of a picture."
        )
    check_memory(Canvas(*samples.shape[-2:]), samples.shape[0])
    fix = comfy.sample.fix_empty_latent_channels
    known = inspect.signature(fix).parameters
    ratios = ("downscale_ratio_spacial", "downscale_ratio_temporal")
    samples = fix(patcher, samples, **{k: latent.get(k) for k in ratios if k in known})
    if samples.shape[1] != LATENT_CHANNELS:
        raise ValueError(
            f"This MODEL samples latents of {LATENT_CHANNELS} channels, got {samples.shape[1]}: "
            "encode the picture with the model's own VAE."
        )
    return samples


def check_memory(canvas: Canvas, batch: int) -> None:
    """Refuse, before anything of its size is allocated, a batch that no computer holds."""
    if batch < 1:
        raise ValueError(
            "RALU needs a picture to work on, and this batch holds no picture: connect a LATENT or "
            "an IMAGE of at least one."
        )
    pixels = batch * canvas.width * canvas.height * 64
    if pixels > MAX_PIXELS:
        raise ValueError(
            f"RALU samples at most {MAX_PIXELS >> 20} million pixels at once, got {batch} of "
            f"{canvas.width * 8}x{canvas.height * 8}: use a smaller batch or picture."
        )


def sampler_named(name: str):
    """The SAMPLER of a widget's value; older hosts hand on values that the widget never had."""
    if name not in SAMPLER_NAMES:
        raise ValueError(f"The sampler must be one of {', '.join(SAMPLER_NAMES)}, got {name!r}.")
    return comfy.samplers.sampler_object(name)


def check_sampler(sampler, steps: list[int]) -> None:
    """Refuse samplers that cannot be right in stages of so many steps."""
    function = getattr(sampler, "sampler_function", None)
    if function is None:
        raise ValueError(
            f"RALU cannot use the SAMPLER {type(sampler).__name__}: it has no sampler function "
            "that could go on from one stage to the next; connect KSamplerSelect."
        )
    name = getattr(function, "__name__", "")
    for refused in REFUSED_SAMPLERS:
        if refused in name:
            raise ValueError(
                "RALU changes the picture's size at exact noise levels, and the sampler "
                f"{refused} does not keep to them: use euler, dpmpp_2m or another sampler."
            )
    if "unipc" in name and min(steps) < 2:
        raise ValueError(
            f"The sampler uni_pc needs at least 2 steps in every stage, got {steps}: use a longer "
            "schedule, another denoise, or another sampler."
        )


def check_vae(vae, detector: str) -> None:
    """A missing or foreign VAE is refused before stage 1, not after it."""
    if not needs_image(detector):
        return
    if vae is None:
        raise ValueError(
            f"The edge detector {detector} looks at the decoded picture, so RALU needs a VAE: "
            "connect one, or set the detector to latent_gradient."
        )
    channels = getattr(vae, "latent_channels", LATENT_CHANNELS)
    if getattr(vae, "latent_dim", 2) != 2:
        raise ValueError(
            "This MODEL needs a VAE of still pictures, got one of videos: load the VAE that "
            "belongs to the model."
        )
    if channels != LATENT_CHANNELS:
        raise ValueError(
            f"This MODEL needs a VAE of {LATENT_CHANNELS} latent channels, got one of {channels}: "
            "load the VAE that belongs to the model."
        )


def placed_for(detector: str, picture: torch.Tensor) -> torch.Tensor:
    """A decoded picture where the detector looks at it: canny_gpu on the GPU, if there is one."""
    if detector != "canny_gpu":
        return picture
    return picture.to(comfy.model_management.get_torch_device())


def batch_items(latent: dict, count: int) -> list[int]:
    """The number of each picture within its seed; Latent From Batch keeps the original ones."""
    items = list(latent.get("batch_index") or range(count))
    if len(items) != count:
        raise ValueError(
            f"A LATENT's batch_index must number each of its {count} pictures, got {len(items)} "
            "numbers: set it anew with Latent Batch Seed Behavior."
        )
    return items


def extend_noise(noise: torch.Tensor, canvas: Canvas, seed: int, items: list[int]) -> torch.Tensor:
    """The host's noise (B, C, H, W), with fresh noise where the canvas is larger."""
    if canvas.is_whole:
        return noise
    extended = white_noise((noise.shape[1], *canvas.padded), seed, items, stream=0).to(noise)
    extended[..., : canvas.height, : canvas.width] = noise
    return extended


def always_regions(mask: torch.Tensor | None, canvas: Canvas, batch: int) -> torch.Tensor | None:
    """Coarse tokens under a MASK input: (B, rows, columns) bool, or None without one."""
    if mask is None:
        return None
    mask = mask.reshape(-1, *mask.shape[-2:])
    h, w = mask.shape[-2:]
    if abs(h * canvas.width - w * canvas.height) > max(h, w):  # more than a rounded pixel off
        size = f"{canvas.width * 8}x{canvas.height * 8}"
        raise ValueError(
            f"The region mask must have the shape of the picture, {size} pixels or that at "
            f"another scale, got {w}x{h}: resize or crop the mask."
        )
    if mask.shape[0] not in (1, batch):
        raise ValueError(
            f"The region mask must hold 1 mask or one per picture ({batch}), got {mask.shape[0]}: "
            "connect one for all, or cut the batch with MaskToImage, ImageFromBatch, ImageToMask."
        )
    return mask_regions(canvas.extend(mask), canvas.grid).expand(batch, -1, -1)
