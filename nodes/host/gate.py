"""Which models RALU can run, and what it needs to know of them."""

from __future__ import annotations

from dataclasses import dataclass

import comfy.model_base
import comfy.model_sampling

from ...ralu_core.flow import fit_shift
from .canvas import Canvas

SUPPORTED = "Flux.1 (dev, schnell, Krea, Kontext, Fill and fine-tunes), SD3 and SD3.5"
LATENT_CHANNELS = 16
TOKEN_PIXELS = 16  # picture pixels along one fine token
SHIFT_TOLERANCE = 0.1  # published values, solved for shift 3, also serve FLUX.1-dev's 3.16


@dataclass(frozen=True)
class ModelFacts:
    """What the sampler and the schedule read off a MODEL.

    family  "flux" or "sd3".
    shift   the paper's h_ori of the model as it is patched now.
    blocks  transformer blocks, double and single alike.
    width   hidden size.
    """

    family: str
    shift: float
    blocks: int
    width: int

    @property
    def text_tokens(self) -> int:
        """Text tokens that ComfyUI makes of a short prompt."""
        return 256 if self.family == "flux" else 154

    @property
    def preset_name(self) -> str:
        """The preset for this model where no schedule is connected."""
        if self.family == "sd3":
            return "SD3 2x"
        return "4-step distilled" if self.shift < 1.5 else "FLUX 5x"


def inspect_model(patcher) -> ModelFacts:
    """Read the facts off a MODEL, or ValueError where RALU cannot run it."""
    network = _network(patcher)
    family = _family(patcher.model, network)
    sampling = patcher.get_model_object("model_sampling")
    if not isinstance(sampling, comfy.model_sampling.CONST):
        kind = type(sampling).__bases__[-1].__name__
        raise ValueError(
            f"RALU samples flow models, and this MODEL is set to {kind} prediction: "
            "remove the ModelSampling node in front of it."
        )
    if getattr(sampling, "noise_scale", 1.0) != 1.0:
        raise ValueError(
            f"RALU needs a model with noise scale 1, got {sampling.noise_scale:g}: "
            "remove the node that changes it."
        )
    shift = fit_shift(float(sampling.percent_to_sigma(0.5)), float(sampling.percent_to_sigma(0.25)))
    if family == "flux":
        blocks = len(network.double_blocks) + len(network.single_blocks)
    else:
        blocks = len(network.joint_blocks)
    return ModelFacts(family, shift, blocks, network.hidden_size)


def text_width(patcher) -> int:
    """Width of the text vectors that the network reads."""
    network = _network(patcher)
    if hasattr(network, "params"):
        return network.params.context_in_dim
    return network.context_embedder.in_features


def check_size(patcher, canvas: Canvas) -> None:
    """SD3 learned a table of positions; a larger picture would fail in the last stage."""
    limit = getattr(_network(patcher), "pos_embed_max_size", None)
    if limit and 2 * max(canvas.grid) > limit:
        side = limit * TOKEN_PIXELS
        raise ValueError(
            f"This MODEL makes pictures of at most {side} pixels each way, got "
            f"{canvas.width * 8}x{canvas.height * 8}: use a smaller latent, and upscale after."
        )


def check_schedule_fits(schedule_shift: float, model_shift: float) -> None:
    """A schedule solved for one shift puts another model off its trajectory: refuse the pair."""
    if abs(schedule_shift / model_shift - 1) > SHIFT_TOLERANCE:
        raise ValueError(
            f"The schedule was made for a model of shift {schedule_shift:.3g}, and this MODEL has "
            f"shift {model_shift:.3g}: connect the same MODEL to RALU NT-Matching Schedule and set "
            "its shifts to match the model."
        )


def _network(patcher):
    network = patcher.get_model_object("diffusion_model")
    return getattr(network, "_orig_mod", network)


def _family(model, network) -> str:
    # Flux's subclasses (Flux.2, Chroma, LongCat) place tokens otherwise, so the class is compared.
    if type(model) is comfy.model_base.Flux and _is_flux1(network):
        return "flux"
    if isinstance(model, comfy.model_base.SD3) and getattr(network, "pos_embed", None) is not None:
        return "sd3"
    raise ValueError(
        f"RALU cannot run this MODEL ({type(model).__name__}): it supports {SUPPORTED}; "
        "use a KSampler for it."
    )


def _is_flux1(network) -> bool:
    params = getattr(network, "params", None)
    return (
        hasattr(network, "process_img")
        and getattr(network, "patch_size", 0) == 2
        and len(getattr(params, "axes_dim", ())) == 3
    )
