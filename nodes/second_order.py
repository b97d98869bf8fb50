"""RALU Second-Order Steps: a SAMPLER for few steps."""

from __future__ import annotations

from comfy_api.latest import io

from .host.sampling.second_order import second_order
from .shared_inputs import CATEGORY, search_words


class SecondOrder(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="RALU_SecondOrder",
            display_name="RALU Second-Order Steps",
            category=CATEGORY,
            description="A SAMPLER for flow models that goes on with the slope of the step before, "
            "at no further model call (Adams-Bashforth of order 2). With few steps it keeps the "
            "contrast that euler loses. For RALU Sampler (Advanced), SamplerCustomAdvanced and "
            "whatever takes a SAMPLER; it starts anew where RALU changes the size, but for plans "
            "on the seed's own noise.",
            inputs=[],
            outputs=[
                io.Sampler.Output(
                    display_name="sampler",
                    tooltip="Made for 4 to 20 steps of Flux, SD3 and other flow models.",
                )
            ],
            **search_words("ralu", "sampler", "ksamplerselect", "adams-bashforth", "multistep"),
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        return io.NodeOutput(second_order())
