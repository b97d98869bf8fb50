"""What stands in for a model file that ComfyUI's own templates name, by the file's name.

A model of a family becomes the family's tiny network, and one that runs at full size alone a tiny
network of the host's class. One that RALU refuses becomes the host's class around an empty network:
it is refused before anything runs.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Kind:
    """A kind of model file.

    pattern   that its name contains, as a regular expression in small letters.
    family    of the pack's table; "" for a kind that is none of it.
    unplaced  its name in `unplaced.KINDS`, for one that runs at full size alone.
    refused   the host's class in `comfy.model_base`.
    options   of the family's `tiny`.
    """

    name: str
    pattern: str
    family: str = ""
    unplaced: str = ""
    refused: str = ""
    options: dict[str, Any] = field(default_factory=dict, hash=False)


# The first that fits a name counts.
KINDS = (
    Kind("FLUX.1 Fill", r"flux\.?1-fill", "flux1", options={"in_channels": 96}),
    Kind("FLUX.1 Canny or Depth", r"flux1-(canny|depth)", "flux1", options={"in_channels": 32}),
    Kind("FLUX.1 schnell", r"flux1-schnell", "flux1", options={"guidance": False}),
    Kind("FLUX.1", r"^flux1-", "flux1"),
    Kind("Flux.2 dev", r"^flux2_dev", "flux2"),
    Kind("Flux.2 klein", r"^flux-2-klein", "flux2", options={"guidance": False}),
    Kind("Qwen-Image-Layered", r"^qwen_image_layered", unplaced="Qwen-Image-Layered"),
    Kind("Qwen-Image-Edit", r"^qwen_image_edit|^firered-image-edit", "qwen_image"),
    Kind("Qwen-Image", r"^qwen_image", "qwen_image"),
    Kind("Z-Image-Turbo", r"^z_image_turbo", "z_image"),
    Kind("Z-Image", r"^z_image", "z_image"),
    Kind("Lumina Image 2.0", r"^netayume", "lumina2"),
    Kind("NewBie", r"^newbie", "lumina2"),
    Kind("Krea 2", r"^krea2", "krea2"),
    Kind("Anima", r"^anima", "anima"),
    Kind("Chroma", r"^chroma1-hd", "chroma"),
    Kind("LongCat", r"^longcat_image", "longcat"),
    Kind("Mage-Flow", r"^mage_flow", "mage_flow"),
    Kind("Ernie", r"^ernie", "ernie"),
    Kind("Kandinsky 5", r"^kandinsky5lite_t2i", "kandinsky5"),
    Kind("SD3.5", r"^sd3", "sd3"),
    Kind("Chroma Radiance", r"^chroma-radiance", unplaced="ChromaRadiance"),
    Kind("HiDream-O1", r"^hidream_o1", refused="HiDreamO1"),
    Kind("HiDream", r"^hidream_", unplaced="HiDream"),
    Kind("Lens", r"^lens_", unplaced="Lens"),
    Kind("Ideogram 4", r"^ideogram4", unplaced="Ideogram4"),
    Kind("JoyImage", r"^joyai_image", unplaced="JoyImage"),
    Kind("OmniGen2", r"^omnigen2", unplaced="Omnigen2"),
    Kind("Boogu", r"^boogu", unplaced="Boogu"),
    Kind("PixelDiT", r"^pixeldit", unplaced="PixelDiTT2I"),
    Kind("Ovis-Image", r"^ovis_image", unplaced="Ovis-Image"),
)


def kind_of(file: str) -> Kind | None:
    """What stands in for a file; None for models that the pack knows nothing of."""
    return next((kind for kind in KINDS if re.search(kind.pattern, file.lower())), None)


def kind_named(name: str) -> Kind:
    """The kind of that name; KeyError for others."""
    return {kind.name: kind for kind in KINDS}[name]


def load_kind(name: str) -> tuple[Any, Texts, Any]:
    """MODEL, CLIP and VAE of a kind, with seeded weights; inside ComfyUI."""
    from lab.comfy import ralu_pack
    from lab.models import tiny, unplaced

    kind = kind_named(name)
    seed = zlib.crc32(name.encode()) % 1000
    if kind.unplaced:
        model = unplaced.load(kind.unplaced, seed)
        return model, Texts(None, **unplaced.KINDS[kind.unplaced].reads()), unplaced.load_vae(model)
    if kind.refused:
        vae = tiny.load_vae(tiny.taesd_weights(seed=4))
        return _refused_model(kind.refused), Texts(None), vae
    family = ralu_pack.table.family_named(kind.family)
    weights = tiny.family_weights(family, seed, **kind.options)
    vae = tiny.load_vae(tiny.vae_weights(family.space, seed=4))
    return tiny.load_model(weights, family), Texts(family), vae


def _refused_model(refused: str) -> Any:
    """A MODEL of a class that the pack refuses."""
    import comfy.model_base
    import comfy.model_patcher
    import comfy.ops
    import comfy.supported_models
    import torch

    empty = {"image_model": "", "disable_unet_model_creation": True}
    config = comfy.supported_models.SD3(empty)
    config.latent_format = comfy.supported_models.SD3.latent_format()  # type: ignore[misc]
    config.set_inference_dtype(torch.float32, None)
    model = getattr(comfy.model_base, refused)(config)
    model.diffusion_model = comfy.ops.disable_weight_init.Linear(1, 1)  # no pack of others made it
    cpu = torch.device("cpu")
    return comfy.model_patcher.ModelPatcher(model, load_device=cpu, offload_device=cpu)


class Texts:
    """A CLIP for any node that encodes text; the words decide the numbers, pictures do not.

    family  whose network reads the texts; None for others.
    reads   what else it does, the same for all texts.
    """

    def __init__(self, family: Any, **reads: Any):
        self.family, self.reads = family, reads

    def clone(self, *_: Any, **__: Any) -> Texts:
        return self

    def set_tokenizer_option(self, *_: Any) -> None:
        """Nothing is tokenised."""

    def tokenize(self, text: str, *_: Any, **__: Any) -> dict[str, Any]:
        return {"text": text, "l": text, "t5xxl": text}

    def encode_from_tokens_scheduled(
        self, tokens: dict[str, Any], add_dict: dict | None = None, **__: Any
    ) -> list:
        from lab.models import tiny

        words = repr(sorted(tokens.items())).encode()
        ((context, options),) = tiny.conditioning(seed=zlib.crc32(words), family=self.family)
        return [[context, {**options, **self.reads, **(add_dict or {})}]]

    def encode_from_tokens(self, tokens: dict[str, Any], **__: Any) -> Any:
        ((context, options),) = self.encode_from_tokens_scheduled(tokens)
        return context, options["pooled_output"]

    def generate(self, tokens: dict[str, Any], **__: Any) -> str:
        """A language model's answer: what it was asked."""
        return tokens["text"]

    def decode(self, answer: str, **__: Any) -> str:
        return answer
