"""RALU Edge Mask Preview: see which regions of a picture would grow early."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from comfy_api.latest import io, ui

from ..ralu_core.edges import image_scores, latent_scores, needs_image
from ..ralu_core.regions import select_ratio, select_threshold
from .host.canvas import Canvas
from .host.inputs import check_memory, placed_for
from .host.overlay import outline_regions
from .shared_inputs import CATEGORY, detector_input, search_words, threshold_input


class EdgeMaskPreview(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="RALU_EdgeMaskPreview",
            display_name="RALU Edge Mask Preview",
            category=CATEGORY,
            description="Shows the regions of a picture that RALU would upsample early, outlined. "
            "Connect an IMAGE, or a LATENT with its VAE.",
            inputs=[
                io.Image.Input("image", optional=True, tooltip="A picture to look at."),
                io.Latent.Input(
                    "latent", optional=True, tooltip="Instead of a picture: a latent to decode."
                ),
                io.Vae.Input("vae", optional=True, tooltip="Decodes the latent."),
                io.Float.Input(
                    "ratio",
                    default=0.3,
                    min=0.01,
                    max=0.99,
                    step=0.01,
                    tooltip="Share of regions that grow early. The paper's presets use 0.1 to 0.3.",
                ),
                detector_input(),
                threshold_input(),
            ],
            outputs=[
                io.Mask.Output(display_name="MASK", tooltip="Chosen regions, picture pixels."),
                io.Image.Output(
                    display_name="overlay", tooltip="The picture with chosen patches outlined."
                ),
            ],
            is_output_node=True,
            **search_words("ralu", "canny", "edges", "regions"),
        )

    @classmethod
    def execute(
        cls,
        ratio,
        edge_detector="canny",
        edge_threshold=0.0,
        image=None,
        latent=None,
        vae=None,
    ) -> io.NodeOutput:
        picture = _picture(image, latent, vae)
        canvas = Canvas(picture.shape[1] // 8, picture.shape[2] // 8)
        check_memory(canvas, picture.shape[0])
        picture = picture[:, : canvas.height * 8, : canvas.width * 8]
        if needs_image(edge_detector):
            scores = _picture_scores(picture, canvas, edge_detector)
        else:
            scores = _latent_scores(latent, canvas)
        if edge_threshold > 0:
            chosen = select_threshold(scores, edge_threshold)
        else:
            chosen = select_ratio(scores, ratio)
        mask = canvas.mask(chosen)
        overlay = outline_regions(picture, mask)
        return io.NodeOutput(mask, overlay, ui=ui.PreviewImage(overlay, cls=cls))


def _picture(image, latent, vae) -> torch.Tensor:
    """(B, H, W, 3) picture in [0, 1] from the sockets."""
    if (image is None) == (latent is None):
        raise ValueError(
            "RALU Edge Mask Preview shows one picture: connect either an image or a latent, "
            f"got {'both' if image is not None else 'neither'}."
        )
    if image is not None:
        return image[..., :3].expand(*image.shape[:-1], 3)  # a grey one has one channel
    if vae is None:
        raise ValueError(
            "A latent needs its VAE to be shown, and none is connected: connect it, or an image "
            "instead of the latent."
        )
    return vae.decode(latent["samples"])


def _picture_scores(picture: torch.Tensor, canvas: Canvas, detector: str) -> torch.Tensor:
    """Edges of the half-size picture, which is what the sampler sees after stage 1."""
    full = canvas.extend(picture.movedim(-1, 1))
    half = F.avg_pool2d(full, 2).movedim(1, -1)
    return image_scores(placed_for(detector, half), canvas.grid, detector)


def _latent_scores(latent, canvas: Canvas) -> torch.Tensor:
    if latent is None:
        raise ValueError(
            "The latent_gradient detector reads a latent, and an image is connected: "
            "connect a latent with its VAE, or choose a canny detector."
        )
    return latent_scores(F.avg_pool2d(canvas.extend(latent["samples"].float()), 2))
