"""Region-adaptive latent upsampling, free of any host: bring a denoiser and a decoder.

Jeong, Lee, Seo, Chun, "Training-free Mixed-Resolution Latent Upsampling for Spatially Accelerated
Diffusion Transformers", CVPR 2026, arXiv 2507.08422.
"""

from .cost import CallCost
from .crossings import Crossing, Matched, Onward, Renoised, Repeated
from .growth import GROWTHS, Growth
from .growth.enlarged import Enlarged
from .growth.enlarger import Enlarger
from .latents.frame import Frame
from .latents.grid import FULL, HALF, MIXED
from .latents.layout import Layout
from .latents.noise import white_noise
from .latents.packing import Packing
from .latents.space import Space
from .latents.states import Guided, StageEnd
from .plans import PLANS, Plan, Stage, named_plan
from .plans.presets import PRESETS, matched_plan, preset, published_plan
from .plans.ralu import matched_ralu, ralu
from .sampler import Result, Source, run_plan, sample
from .scores import (
    SCORES,
    Evidence,
    Need,
    Regions,
    Score,
    mask_regions,
    select_ratio,
    select_threshold,
)
from .solvers import multistep, over_tokens
from .tasks import StageTask, Start

__all__ = [
    "FULL",
    "GROWTHS",
    "HALF",
    "MIXED",
    "PLANS",
    "PRESETS",
    "SCORES",
    "CallCost",
    "Crossing",
    "Enlarged",
    "Enlarger",
    "Evidence",
    "Frame",
    "Growth",
    "Guided",
    "Layout",
    "Matched",
    "Need",
    "Onward",
    "Packing",
    "Plan",
    "Regions",
    "Renoised",
    "Repeated",
    "Result",
    "Score",
    "Source",
    "Space",
    "Stage",
    "StageEnd",
    "StageTask",
    "Start",
    "mask_regions",
    "matched_plan",
    "matched_ralu",
    "multistep",
    "named_plan",
    "over_tokens",
    "preset",
    "published_plan",
    "ralu",
    "run_plan",
    "sample",
    "select_ratio",
    "select_threshold",
    "white_noise",
]
