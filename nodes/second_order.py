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
            "contrast that euler loses; at cfg 4 and more that takes straight_guidance, restrained "
            "and corrected, too. For RALU Sampler (Advanced), SamplerCustomAdvanced and "
            "whatever takes a SAMPLER; it starts anew where RALU changes the size.",
            inputs=[
                io.Boolean.Input(
                    "last_step_euler",
                    default=False,
                    optional=True,
                    tooltip="On: the last step is euler's and ends on the model's own estimate; "
                    "what corrected mends of the step before comes on top. For 4 to 6 steps, whose "
                    "last one is long.",
                ),
                io.Boolean.Input(
                    "straight_guidance",
                    default=False,
                    optional=True,
                    tooltip="On: what cfg adds is taken in euler's steps, and less of it where it "
                    "changes quickly; only the rest is of second order. For cfg 4 and more in 4 to "
                    "10 steps; at cfg 1 there is nothing to add.",
                ),
                io.Boolean.Input(
                    "restrained",
                    default=False,
                    optional=True,
                    tooltip="On: a step that is longer than the one before bends no further than "
                    "steps of equal length. For 4 to 10 steps that grow, as with a shift above 3: "
                    "it keeps haze off even grounds.",
                ),
                io.Boolean.Input(
                    "corrected",
                    default=False,
                    optional=True,
                    tooltip="On: each step is corrected once the next model call tells the "
                    "velocity at its end, at no extra call, and less where that has turned much. "
                    "For 4 to 10 steps.",
                ),
            ],
            outputs=[
                io.Sampler.Output(
                    display_name="sampler",
                    tooltip="Made for 4 to 20 steps of Flux, SD3 and other flow models.",
                )
            ],
            **search_words("ralu", "sampler", "ksamplerselect", "adams-bashforth", "multistep"),
        )

    @classmethod
    def execute(
        cls,
        last_step_euler=False,
        straight_guidance=False,
        restrained=False,
        corrected=False,
    ) -> io.NodeOutput:
        made = second_order(last_step_euler, straight_guidance, restrained, corrected)
        return io.NodeOutput(made)
