"""RALU Fit Latent Enlarger: learns from pictures how a VAE's half-size latents grow."""

from __future__ import annotations

import comfy.utils
from comfy_api.latest import io, ui

from .host.enlarger import files
from .host.enlarger.encoding import fitted_to
from .host.enlarger.fit_report import told
from .host.inputs import colours
from .host.sampling.finite import check_finite
from .host.showing.status import running_workflow
from .host.sockets import check_sockets
from .shared_inputs import CATEGORY, EnlargerType, search_words


class FitEnlarger(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="RALU_FitEnlarger",
            display_name="RALU Fit Latent Enlarger",
            category=CATEGORY,
            description="Learns from pictures, in seconds, how a VAE's latents grow to twice their "
            "size: a linear map, for the upsampling enlarger of the RALU nodes. Tells how much it "
            "leaves wrong, beside what needs no pictures.",
            inputs=[
                io.Vae.Input("vae", tooltip="The VAE of the model whose latents are to grow."),
                io.Image.Input(
                    "image",
                    tooltip="A batch of 4 pictures or more, best of the size that is sampled: your "
                    "own, or what the model made. Half of them measure the map.",
                ),
                io.Boolean.Input(
                    "save",
                    default=True,
                    tooltip="On: saved in models/ralu_enlargers over an earlier one; RALU's nodes "
                    "find it there by the VAE. Off: for the socket alone.",
                ),
            ],
            outputs=[
                EnlargerType.Output(
                    display_name="ENLARGER", tooltip="For the input enlarger of a RALU node."
                ),
                io.String.Output(display_name="report", tooltip="What each way leaves wrong."),
            ],
            is_output_node=True,
            **search_words("ralu", "enlarger", "latent upscale", "calibrate"),
        )

    @classmethod
    def execute(cls, vae, image, save=True) -> io.NodeOutput:
        check_sockets(vae=vae, image=image)
        if not hasattr(vae, "encode"):
            raise ValueError(
                "The socket vae takes a VAE that encodes pictures, got "
                f"{'nothing' if vae is None else f'a {type(vae).__name__}'}: connect Load VAE."
            )
        check_finite(image, "IMAGE", "make the pictures anew")
        pictures = list(colours(image))
        bar = comfy.utils.ProgressBar(len(pictures))
        fitted = fitted_to(vae, pictures, lambda: bar.update(1))
        report = told(fitted, save, files.save(vae, fitted) if save else None)
        shown = {"text": report, "workflow": running_workflow()}
        preview = ui.PreviewText(report).as_dict()
        return io.NodeOutput(fitted.enlarger, report, ui={**preview, "ralu_report": [shown]})
