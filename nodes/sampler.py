"""RALU Sampler: a KSampler that runs a plan of fewer steps."""

from __future__ import annotations

from typing import Any

import comfy.sample
import comfy.samplers
from comfy_api.latest import io

from .host.families.words import ENGLISH
from .host.request import Wires
from .host.run import sample
from .host.samplers import sampler_named, sampler_names
from .host.sockets import check_counts, check_numbers, check_sockets
from .host.widgets import settings_of
from .outputs import as_a_ksamplers, latent_output, run_view
from .sampling_node import SamplingNode
from .shared_inputs import (
    CATEGORY,
    denoise_input,
    edge_mask_output,
    enlarger_input,
    expert_inputs,
    latent_input,
    model_input,
    plain_steps_input,
    quality_input,
    references_input,
    region_mask_input,
    schedule_input,
    search_words,
    shows_runs,
    vae_input,
)


class Sampler(SamplingNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="RALU_Sampler",
            display_name="RALU Sampler",
            category=CATEGORY,
            description=f"A KSampler for {ENGLISH.models()} that takes 10, 7 or 6 steps, at the "
            "same picture size and without training. paper and schedules work "
            "in three stages: half size, edges early, full size.",
            inputs=[
                model_input(),
                io.Conditioning.Input("positive", tooltip="What the picture shows."),
                io.Conditioning.Input(
                    "negative", tooltip="What it avoids; has no effect at cfg 1."
                ),
                latent_input(),
                vae_input(),
                schedule_input(),
                region_mask_input(),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=True,
                    tooltip="One seed, one picture: all noise of all stages comes from it.",
                ),
                io.Float.Input(
                    "cfg",
                    default=1.0,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    round=0.01,
                    tooltip=f"Classifier-free guidance: {ENGLISH.guidance()}. Models at 1 take "
                    "theirs from a conditioning, or are distilled. With a turbo or Lightning LoRA: "
                    "1, or what its page says.",
                ),
                io.Combo.Input(
                    "sampler_name",
                    options=sampler_names(),
                    default="euler",
                    tooltip="fine, balanced and draft put their second-order steps in the place of "
                    "euler, dpmpp_2m and others that take one call a step and add no noise. Any "
                    "other runs as itself, in as few steps, which costs ancestral and SDE ones "
                    "more. Steps and noise levels come from the plan.",
                ),
                denoise_input(),
                *expert_inputs(),
                quality_input(),
                plain_steps_input(),
                enlarger_input(),
                references_input(),
            ],
            outputs=[
                io.Latent.Output(display_name="LATENT", tooltip="The finished latent."),
                edge_mask_output(),
            ],
            **shows_runs(),
            **search_words("ralu", "region adaptive", "speed up", "fast flux", "ksampler"),
        )

    @classmethod
    def execute(
        cls,
        model,
        positive,
        negative,
        latent_image,
        seed,
        cfg,
        sampler_name,
        denoise,
        vae=None,
        **widgets,
    ) -> io.NodeOutput:
        check_sockets(model=model, positive=positive, negative=negative, latent_image=latent_image)
        check_sockets(vae=vae)
        check_numbers(seed=seed, cfg=cfg)
        check_counts(seed=abs(seed))
        settings = settings_of(denoise=denoise, **widgets)
        guider = comfy.samplers.CFGGuider(model)
        guider.set_conds(positive, negative)
        guider.set_cfg(cfg)

        def draw_noise(latent: dict) -> Any:
            items = latent.get("batch_index")
            return comfy.sample.prepare_noise(latent["samples"], int(seed), items)

        wires = Wires(
            guider=guider,
            sampler=sampler_named(sampler_name),
            latent=latent_image,
            vae=vae,
            draw_noise=draw_noise,
            seed=int(seed) % 2**64,
        )
        sampled = sample(wires, settings)
        return io.NodeOutput(
            latent_output(latent_image, as_a_ksamplers(sampled.samples)),
            sampled.edge_mask,
            ui=run_view(sampled),
        )
