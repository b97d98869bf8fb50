"""The nodes of the pack."""

from .edge_mask_preview import EdgeMaskPreview
from .sampler import Sampler
from .sampler_advanced import SamplerAdvanced
from .schedule import Schedule

NODES = [Schedule, Sampler, SamplerAdvanced, EdgeMaskPreview]
