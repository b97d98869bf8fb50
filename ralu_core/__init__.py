"""Region-adaptive latent upsampling, free of any host: bring a denoiser and a decoder.

Jeong, Lee, Seo, Chun, "Training-free Mixed-Resolution Latent Upsampling for Spatially Accelerated
Diffusion Transformers", CVPR 2026, arXiv 2507.08422.
"""

from .layout import Layout
from .regions import Regions
from .sampler import Plan, Result, Source, Stage, StageEnd, Start, euler, run_stages, sample
from .schedule import StageSchedule
from .transition import Transition

__all__ = [
    "Layout",
    "Plan",
    "Regions",
    "Result",
    "Source",
    "Stage",
    "StageEnd",
    "StageSchedule",
    "Start",
    "Transition",
    "euler",
    "run_stages",
    "sample",
]
