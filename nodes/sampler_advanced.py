"""RALU Sampler (Advanced): SamplerCustomAdvanced that runs a plan of fewer steps."""

from __future__ import annotations

from comfy_api.latest import io

from .host.noise import seed_of
from .host.request import Wires
from .host.run import sample
from .host.sockets import check_sockets
from .host.widgets import settings_of
from .outputs import latent_output, run_view
from .sampling_node import SamplingNode
from .shared_inputs import (
    CATEGORY,
    denoise_input,
    edge_mask_output,
    enlarger_input,
    expert_inputs,
    latent_input,
    plain_steps_input,
    quality_input,
    references_input,
    region_mask_input,
    schedule_input,
    search_words,
    shows_runs,
    vae_input,
)


class SamplerAdvanced(SamplingNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="RALU_SamplerAdvanced",
            display_name="RALU Sampler (Advanced)",
            category=CATEGORY,
            description="SamplerCustomAdvanced in fewer steps, with paper or a schedule in three "
            "stages: any GUIDER, any SAMPLER of fixed steps. The plan replaces SIGMAS.",
            inputs=[
                io.Noise.Input(
                    "noise",
                    tooltip="RandomNoise. The noise that paper and schedules add comes from its "
                    "seed, too.",
                ),
                io.Guider.Input("guider", tooltip="Basic, CFG, DualCFG or another guider."),
                io.Sampler.Input(
                    "sampler",
                    tooltip="KSamplerSelect, for example: fine, balanced and draft put their "
                    "second-order steps in the place of euler, dpmpp_2m and others that take one "
                    "call a step and add no noise. Any other runs as itself, in as few steps.",
                ),
                latent_input(),
                vae_input(),
                schedule_input(),
                region_mask_input(),
                denoise_input(),
                *expert_inputs(),
                quality_input(),
                plain_steps_input(),
                enlarger_input(),
                references_input(),
            ],
            outputs=[
                io.Latent.Output(display_name="output", tooltip="The finished latent."),
                io.Latent.Output(
                    display_name="denoised_output", tooltip="The last step's clean estimate."
                ),
                edge_mask_output(),
            ],
            **shows_runs(),
            **search_words("ralu", "region adaptive", "speed up", "SamplerCustomAdvanced"),
        )

    @classmethod
    def execute(
        cls, noise, guider, sampler, latent_image, denoise, vae=None, **widgets
    ) -> io.NodeOutput:
        check_sockets(noise=noise, guider=guider, sampler=sampler, latent_image=latent_image)
        check_sockets(vae=vae)
        settings = settings_of(denoise=denoise, **widgets)
        wires = Wires(
            guider=guider,
            sampler=sampler,
            latent=latent_image,
            vae=vae,
            draw_noise=noise.generate_noise,
            seed=seed_of(noise),
        )
        sampled = sample(wires, settings)
        return io.NodeOutput(
            latent_output(latent_image, sampled.samples),
            latent_output(latent_image, sampled.denoised),
            sampled.edge_mask,
            ui=run_view(sampled),
        )
