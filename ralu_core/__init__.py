"""Region-adaptive latent upsampling, free of any host: bring a denoiser and a decoder.

Jeong, Lee, Seo, Chun, "Training-free Mixed-Resolution Latent Upsampling for Spatially Accelerated
Diffusion Transformers", CVPR 2026, arXiv 2507.08422.
"""

from .cost import CallCost
from .latents.frame import Frame
from .latents.layout import Layout
from .latents.noise import white_noise
from .latents.packing import Packing
from .latents.space import Space
from .latents.states import Guided, StageEnd
from .plans import PLANS, Plan, Stage, named_plan
from .plans.presets import PRESETS, matched_plan, preset, published_plan
from .plans.ralu import matched_ralu, ralu
from .sampler import Result, Source, run_plan, sample
from .scores import SCORES, Evidence, Regions, Score
from .solvers import multistep, over_tokens
from .tasks import StageTask, Start

__all__ = [
    "PLANS",
    "PRESETS",
    "SCORES",
    "CallCost",
    "Evidence",
    "Frame",
    "Guided",
    "Layout",
    "Packing",
    "Plan",
    "Regions",
    "Result",
    "Score",
    "Source",
    "Space",
    "Stage",
    "StageEnd",
    "StageTask",
    "Start",
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
    "white_noise",
]
