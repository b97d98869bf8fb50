"""How ComfyUI's own templates sample the models of today, and what RALU runs in their place.

No ComfyUI is imported here: tests compare the numbers with the pack's table of families, and the
files with those of the templates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lab.showcase.authoring import prompts
from lab.showcase.authoring.sheet import ModelFile
from ralu_core.cost import CallCost
from ralu_core.plans import Plan, named_plan, plain
from ralu_core.plans.presets import FLUX_DEV_SHIFT, PUBLISHED_SHIFT

BALANCED = "balanced"
EARLY = "early second order 7"  # what balanced means, and of a distilled model SHARE of its steps
MOST, SHARE = 9, 0.75
SD3_LATENT, OLD_LATENT, FLUX2_LATENT = (
    "EmptySD3LatentImage",
    "EmptyLatentImage",
    "EmptyFlux2LatentImage",
)
FLUX_COST = CallCost(57, 3072, 256)
FLUX2_SHIFT = 9.0072  # of Flux2Scheduler at 1024 x 1024 pixels and 20 steps


@dataclass(frozen=True)
class Recipe:
    """A model of today.

    title      of the model, for people.
    template   ComfyUI's own, whose files and numbers these are.
    files      diffusion model, text encoder, VAE.
    clip_type  that the text encoder is loaded as.
    shift      of the MODEL for a picture of `side` pixels.
    steps      of the template; so few are a distilled model's.
    cfg        of the template; 1 where every step is one call.
    prompt     what is drawn.
    negative   what is not; None where the model has no use for it.
    guidance   that a conditioning holds; None for models that take none.
    empty      the node that makes the latent; side, its pixels.
    cost       of a call; any will do where all calls are at full size.
    """

    title: str
    template: str
    files: tuple[ModelFile, ModelFile, ModelFile]
    clip_type: str
    shift: float
    steps: int
    cfg: float
    prompt: str
    negative: str | None = None
    guidance: float | None = None
    empty: str = SD3_LATENT
    side: int = 1024
    cost: CallCost = FLUX_COST

    @property
    def is_guided(self) -> bool:
        """Whether guidance takes a second call of the network."""
        return self.cfg > 1

    @property
    def is_distilled(self) -> bool:
        """Whether it is made for few steps."""
        return self.steps <= MOST

    def planned(self) -> Plan:
        """What *balanced* runs in the place of the template's steps."""
        if self.is_distilled:
            return plain(self.shift, (math.ceil(SHARE * self.steps),))
        return named_plan(EARLY, self.shift)

    def saving(self) -> float:
        """How many times fewer FLOPs than the template's steps."""
        tokens = self.side // 32 * 2
        return self.cost.speed_up(self.planned(), tokens, tokens, self.steps, self.is_guided)


def hub(owner: str, path: str, directory: str) -> ModelFile:
    """A file of a repository: `path` begins with the repository's name."""
    repository, _, inside = path.partition("/")
    url = f"https://huggingface.co/{owner}/{repository}/resolve/main/{inside}"
    return ModelFile(inside.rpartition("/")[2], url, directory)


def _model(path: str, owner: str = "Comfy-Org") -> ModelFile:
    return hub(owner, path, "diffusion_models")


def _encoder(path: str, owner: str = "Comfy-Org") -> ModelFile:
    return hub(owner, path, "text_encoders")


def _vae(path: str, owner: str = "Comfy-Org") -> ModelFile:
    return hub(owner, path, "vae")


PARTS = "split_files"
QWEN, Z_TURBO, FLUX2 = "Qwen-Image_ComfyUI", "z_image_turbo", "flux2-dev"
QWEN_VAE = _vae(f"{QWEN}/{PARTS}/vae/qwen_image_vae.safetensors")
QWEN_CLIP = "text_encoders/qwen_2.5_vl_7b_fp8_scaled.safetensors"
ANIMA = f"Anima/{PARTS}"
ANIMA_OWNER = "circlestone-labs"

RECIPES = {
    "flux2_dev": Recipe(
        "Flux.2 dev",
        "image_flux2_text_to_image",
        (
            _model(f"{FLUX2}/{PARTS}/diffusion_models/flux2_dev_fp8mixed.safetensors"),
            _encoder(f"{FLUX2}/{PARTS}/text_encoders/mistral_3_small_flux2_bf16.safetensors"),
            _vae(
                "FLUX.2-small-decoder/full_encoder_small_decoder.safetensors", "black-forest-labs"
            ),
        ),
        "flux2",
        FLUX2_SHIFT,
        steps=20,
        cfg=1.0,
        prompt=prompts.STREET,
        guidance=4.0,
        empty=FLUX2_LATENT,
    ),
    "flux2_klein_base": Recipe(
        "Flux.2 klein base 4B",
        "image_flux2_klein_text_to_image",
        (
            _model(f"flux2-klein/{PARTS}/diffusion_models/flux-2-klein-base-4b.safetensors"),
            _encoder(f"flux2-klein/{PARTS}/text_encoders/qwen_3_4b.safetensors"),
            _vae(f"{FLUX2}/{PARTS}/vae/flux2-vae.safetensors"),
        ),
        "flux2",
        FLUX2_SHIFT,
        steps=20,
        cfg=5.0,
        prompt=prompts.KITCHEN,
        negative="",
        empty=FLUX2_LATENT,
    ),
    "qwen_image": Recipe(
        "Qwen-Image 2512",
        "image_qwen_Image_2512",
        (
            _model(f"{QWEN}/{PARTS}/diffusion_models/qwen_image_2512_fp8_e4m3fn.safetensors"),
            _encoder(f"{QWEN}/{PARTS}/{QWEN_CLIP}"),
            QWEN_VAE,
        ),
        "qwen_image",
        FLUX_DEV_SHIFT,
        steps=50,
        cfg=4.0,
        prompt=prompts.SHOP,
        negative=prompts.BLURRY,
        side=1328,
    ),
    "qwen_image_edit": Recipe(
        "Qwen-Image-Edit 2511",
        "image_qwen_image_edit_2511",
        (
            _model(
                f"Qwen-Image-Edit_ComfyUI/{PARTS}/diffusion_models/"
                "qwen_image_edit_2511_fp8mixed.safetensors"
            ),
            _encoder(f"HunyuanVideo_1.5_repackaged/{PARTS}/{QWEN_CLIP}"),
            QWEN_VAE,
        ),
        "qwen_image",
        FLUX_DEV_SHIFT,
        steps=40,
        cfg=3.0,
        prompt=prompts.EDIT,
        negative="",
    ),
    "z_image": Recipe(
        "Z-Image",
        "image_z_image",
        (
            _model(f"z_image/{PARTS}/diffusion_models/z_image_bf16.safetensors"),
            _encoder(f"{Z_TURBO}/{PARTS}/text_encoders/qwen_3_4b.safetensors"),
            _vae(f"{Z_TURBO}/{PARTS}/vae/ae.safetensors"),
        ),
        "lumina2",
        PUBLISHED_SHIFT,
        steps=25,
        cfg=4.0,
        prompt=prompts.GREENHOUSE,
        negative="",
    ),
    "krea2_turbo": Recipe(
        "Krea 2 Turbo",
        "image_krea2_turbo_t2i",
        (
            _model("Krea-2/diffusion_models/krea2_turbo_fp8_scaled.safetensors"),
            _encoder("Krea-2/text_encoders/qwen3vl_4b_fp8_scaled.safetensors"),
            _vae("Krea-2/vae/qwen_image_vae.safetensors"),
        ),
        "krea2",
        FLUX_DEV_SHIFT,
        steps=8,
        cfg=1.0,
        prompt=prompts.POSTER,
        empty=OLD_LATENT,
        cost=CallCost(28, 6144, 128),
    ),
    "anima": Recipe(
        "Anima",
        "image_anima_base_v1",
        (
            _model(f"{ANIMA}/diffusion_models/anima-base-v1.0.safetensors", ANIMA_OWNER),
            _encoder(f"{ANIMA}/text_encoders/qwen_3_06b_base.safetensors", ANIMA_OWNER),
            _vae(f"{ANIMA}/vae/qwen_image_vae.safetensors", ANIMA_OWNER),
        ),
        "stable_diffusion",
        PUBLISHED_SHIFT,
        steps=30,
        cfg=4.0,
        prompt=prompts.ANIME,
        negative=prompts.NO_ANIME,
        empty=OLD_LATENT,
    ),
    "chroma": Recipe(
        "Chroma1-HD",
        "image_chroma_text_to_image",
        (
            _model(
                "Chroma1-HD_repackaged/split_files/diffusion_models/Chroma1-HD-fp8mixed.safetensors"
            ),
            _encoder("flux_text_encoders/t5xxl_fp8_e4m3fn_scaled.safetensors", "comfyanonymous"),
            _vae(f"Lumina_Image_2.0_Repackaged/{PARTS}/vae/ae.safetensors"),
        ),
        "chroma",
        FLUX_DEV_SHIFT,
        steps=26,
        cfg=3.5,
        prompt=prompts.TIGER,
        negative=prompts.UNFINISHED,
    ),
}
