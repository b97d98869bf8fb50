"""RALU: on a MODEL wire, so that the sampler behind it runs a plan of fewer steps."""

from __future__ import annotations

from functools import partial

from comfy_api.latest import io

from ..ralu_core.growth import DEFAULT_GROWTH
from .host.apply import applied
from .host.families.words import ENGLISH
from .host.inputs import AUTO
from .host.showing.status import show_line
from .host.sockets import check_sockets
from .host.widgets import settings_of
from .queue_checks import MISSING, check_plan_and_detector, why_refused
from .shared_inputs import (
    BALANCED,
    CATEGORY,
    ScheduleType,
    enlarger_input,
    expert_inputs,
    model_input,
    quality_input,
    references_input,
    region_mask_input,
    saved_enlargers,
    search_words,
)


class Apply(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="RALU_Apply",
            display_name="RALU",
            category=CATEGORY,
            description="Put it on the MODEL wire, and the sampler behind it draws "
            f"{ENGLISH.models()} in fewer steps; other flow models, too, except by paper or "
            "schedules. For KSampler, SamplerCustomAdvanced, detailers and other packs' samplers; "
            "best are euler, dpmpp_2m and others without noise of their own.",
            inputs=[
                model_input(),
                quality_input(optional=False),
                io.Vae.Input(
                    "vae",
                    optional=True,
                    tooltip="Not needed. With paper or a schedule, edges are looked for in the "
                    "decoded picture if one is connected, else in the latent itself.",
                ),
                ScheduleType.Input(
                    "schedule",
                    optional=True,
                    tooltip="From RALU NT-Matching Schedule. Connected, it is the plan, whatever "
                    "the quality says.",
                ),
                region_mask_input(),
                *expert_inputs(),
                enlarger_input(),
                references_input(),
            ],
            outputs=[io.Model.Output(display_name="MODEL", tooltip="For any sampler.")],
            hidden=[io.Hidden.unique_id],
            not_idempotent=True,  # the MODEL tells this very node; another's would tell that one
            **search_words(
                "ralu", "flux speed", "faster", "accelerate", "ksampler", "speed up", "fast flux"
            ),
        )

    @classmethod
    def validate_inputs(
        cls, quality=None, edge_detector=AUTO, vae=MISSING, schedule=MISSING
    ) -> bool | str:
        return why_refused(check_plan_and_detector, quality, edge_detector, vae, schedule, 1.0)

    @classmethod
    def fingerprint_inputs(cls, upsampling=DEFAULT_GROWTH, **_) -> list[str]:
        return saved_enlargers(upsampling)

    @classmethod
    def execute(cls, model, vae=None, **widgets) -> io.NodeOutput:
        check_sockets(model=model, vae=vae)
        settings = settings_of(**{"quality": BALANCED, **widgets})
        tell = partial(show_line, getattr(cls.hidden, "unique_id", None))
        return io.NodeOutput(applied(model, settings, vae, tell))
