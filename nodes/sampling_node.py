"""What both nodes that sample do before they run."""

from __future__ import annotations

from comfy_api.latest import io

from ..ralu_core.growth import DEFAULT_GROWTH
from .host.dial import PAPER
from .host.inputs import AUTO
from .queue_checks import MISSING, check_plan_and_detector, why_refused
from .shared_inputs import saved_enlargers


class SamplingNode(io.ComfyNode):
    """A node with a dial, a VAE and a schedule that samples itself."""

    @classmethod
    def validate_inputs(
        cls,
        denoise=None,
        edge_detector=AUTO,
        quality=PAPER,
        vae=MISSING,
        schedule=MISSING,
        plain_steps=0,
    ) -> bool | str:
        wires = vae, schedule, denoise, plain_steps
        return why_refused(check_plan_and_detector, quality, edge_detector, *wires)

    @classmethod
    def fingerprint_inputs(cls, upsampling=DEFAULT_GROWTH, **_) -> list[str]:
        return saved_enlargers(upsampling)
