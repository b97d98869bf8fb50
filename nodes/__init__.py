"""The nodes of the pack."""

from .apply import Apply
from .edge_mask_preview import EdgeMaskPreview
from .encode_lettering import EncodeLettering
from .fit_enlarger import FitEnlarger
from .other_copy import other_copy
from .sampler import Sampler
from .sampler_advanced import SamplerAdvanced
from .schedule import Schedule
from .schedule_route import add_schedule_route
from .second_order import SecondOrder
from .temporal_acceleration import TemporalAcceleration

__all__ = ["NODES", "add_schedule_route", "other_copy"]

NODES = [
    Apply,
    Schedule,
    Sampler,
    SamplerAdvanced,
    EdgeMaskPreview,
    TemporalAcceleration,
    SecondOrder,
    FitEnlarger,
    EncodeLettering,
]
