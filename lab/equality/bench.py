"""The nodes of one tree on tiny models. It knows the pack by its published ids and inputs only."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import comfy.samplers
import comfy.utils
import torch
from comfy_extras.nodes_custom_sampler import Noise_RandomNoise

from lab.models import tiny
from lab.models.controlnets import controlnet

NAME = "compared_pack"  # beside this tree's own, whose families make the tiny models
SIZE = (24, 32)  # of the latents: no square, so that rows are not taken for columns
# Two steps per stage pass every seam, and uni_pc needs no more.
QUICK = {
    "steps_1": 2,
    "steps_2": 2,
    "steps_3": 2,
    "end_sigma_1": 0.7,
    "end_sigma_2": 0.55,
    "ratio": 0.3,
}
FLUX, SD3 = FAMILIES = ("flux", "sd3")  # as the cases name them
PRESET = {FLUX: "FLUX 5x", SD3: "SD3 2x"}
GUIDANCE = {FLUX: 3.5, SD3: None}

Output = torch.Tensor | str
Outputs = dict[str, Output]
Wire = Callable[["Bench", Any], dict[str, Any]]  # the MODEL -> more inputs of the node
Case = Callable[[], Outputs]


def core() -> ModuleType:
    """ComfyUI's own `nodes`; the pack has a folder of that name."""
    return importlib.import_module("nodes")


def made_by(node: Any, *args: Any, **inputs: Any) -> tuple[Any, ...]:
    """Outputs of one of ComfyUI's nodes, in either of its two forms."""
    if hasattr(node, "execute"):
        out = node.execute(*args, **inputs)
    else:
        out = getattr(node(), node.FUNCTION)(*args, **inputs)
    return out.args if hasattr(out, "args") else tuple(out)


def is_refused(preset: str, shifts: str) -> bool:
    """No shifts are published for plans of few steps."""
    return preset.endswith("distilled") and shifts == "published"


def empty(batch: int = 1, size: tuple[int, int] = SIZE) -> dict[str, Any]:
    return {"samples": torch.zeros(batch, 16, *size)}


class Bench:
    """The nodes of a pack by id, and models that are loaded once."""

    def __init__(self, pack: ModuleType):
        comfy.utils.set_progress_bar_enabled(False)
        listed = asyncio.run(asyncio.run(pack.comfy_entrypoint()).get_node_list())
        self.nodes: dict[str, Any] = {node.define_schema().node_id: node for node in listed}
        self.vae = tiny.load_vae(tiny.taesd_weights(seed=3))
        self._models: dict[str, Any] = {}
        self._controlnets: dict[tuple[str, int], Any] = {}

    def options(self, node: str, widget: str) -> list[str]:
        """What a widget of a node offers."""
        inputs = self.nodes[node].define_schema().inputs
        return list(next(one.options for one in inputs if one.id == widget))

    def model(self, kind: str) -> Any:
        if kind not in self._models:
            self._models[kind] = MODELS[kind]()
        return self._models[kind]

    def controlnet(self, model: Any, kind: str, seed: int = 11) -> Any:
        """One that lives on: ComfyUI counts on a prompt's models while it loads others."""
        if (kind, seed) not in self._controlnets:
            self._controlnets[kind, seed] = controlnet(model, kind, seed)
        return self._controlnets[kind, seed]

    def schedule(self, **widgets: Any) -> tuple[Any, ...]:
        """The schedule node's outputs."""
        size = {"width": 8 * SIZE[1], "height": 8 * SIZE[0]}
        widgets = {"preset": PRESET[FLUX], "shifts": "match the model", **size, **widgets}
        return self.nodes["RALU_Schedule"].execute(**widgets).args

    def accelerated(self, model: Any, **widgets: Any) -> Any:
        """The MODEL of the acceleration node, with its default widgets unless given."""
        node = self.nodes["RALU_TemporalAcceleration"]
        inputs = node.define_schema().inputs
        defaults = {one.id: one.default for one in inputs if one.id != "model"}
        return node.execute(**{"model": model, **defaults, **widgets}).args[0]

    def sample(
        self,
        kind: str = FLUX,
        wire: Wire | None = None,
        widgets: dict[str, Any] | None = QUICK,
        temporal: dict[str, Any] | None = None,
        **inputs: Any,
    ) -> Outputs:
        """A run of the RALU Sampler.

        wire      adds inputs once the case runs.
        widgets   of the schedule node; None leaves the schedule unconnected.
        temporal  widgets of the acceleration node in front, if it is there.
        """
        model, inputs = self._wired(kind, wire, widgets, temporal, inputs)
        prompts = {"positive": prompt(kind), "negative": prompt(kind, 6)}
        given = {**prompts, "seed": 7, "cfg": 1.0, "sampler_name": "euler", **inputs}
        out = self.nodes["RALU_Sampler"].execute(model=model, **given)
        return {**_latent("LATENT", out.args[0]), "edge_mask": out.args[1], **_shown(out)}

    def guided(
        self,
        kind: str,
        guider: Callable[[Any, list | None], Any],
        wire: Wire | None = None,
        widgets: dict[str, Any] | None = QUICK,
        temporal: dict[str, Any] | None = None,
        **inputs: Any,
    ) -> Outputs:
        """A run of the RALU Sampler (Advanced); the guider is made of the MODEL and a prompt."""
        model, inputs = self._wired(kind, wire, widgets, temporal, inputs)
        given = {"noise": Noise_RandomNoise(7), "sampler": "euler", **inputs}
        given["sampler"] = comfy.samplers.sampler_object(given["sampler"])
        given["guider"] = guider(model, given.pop("positive", None))
        given.pop("negative", None)
        out = self.nodes["RALU_SamplerAdvanced"].execute(**given)
        clean = _latent("denoised_output", out.args[1])
        return {**_latent("output", out.args[0]), **clean, "edge_mask": out.args[2], **_shown(out)}

    def plain(
        self,
        kind: str,
        wire: Wire | None = None,
        temporal: dict[str, Any] | None = None,
        batch: int = 1,
        cfg: float = 1.0,
        steps: int = 8,
    ) -> Outputs:
        """A KSampler without RALU's stages."""
        model, inputs = self._wired(kind, wire, None, temporal, {})
        positive = inputs.get("positive", prompt(kind))
        ran = core().common_ksampler(
            model, 7, steps, cfg, "euler", "simple", positive, prompt(kind, 6), empty(batch)
        )
        return _latent("LATENT", ran[0])

    def _wired(
        self,
        kind: str,
        wire: Wire | None,
        widgets: dict[str, Any] | None,
        temporal: dict[str, Any] | None,
        inputs: dict[str, Any],
    ) -> tuple[Any, dict[str, Any]]:
        """The MODEL, and the inputs that both samplers have."""
        wired = {} if wire is None else wire(self, self.model(kind))
        model = wired.pop("model", self.model(kind))
        if temporal is not None:
            model = self.accelerated(model, **temporal)
        given = {"latent_image": empty(), "vae": self.vae, "denoise": 1.0, **wired, **inputs}
        if widgets is not None:
            asked = {"preset": PRESET[family(kind)], "model": model, **widgets}
            given["schedule"] = self.schedule(**asked)[0]
        return model, given


def family(kind: str) -> str:
    return kind.split()[0]


def prompt(kind: str = FLUX, seed: int = 5, batch: int = 1) -> list:
    return tiny.conditioning(seed, batch, GUIDANCE[family(kind)])


def _latent(name: str, latent: dict[str, Any]) -> Outputs:
    return {name: latent["samples"], f"{name} keys": " ".join(sorted(latent))}


def _shown(out: Any) -> Outputs:
    """What the node shows of its run, but for times."""
    (shown,) = out.ui["ralu_run"]
    kept = {name: shown[name] for name in ("steps", "plain_steps", "predicted_equivalents")}
    named = ("number", "steps", "calls", "tokens", "share")
    kept["stages"] = [{name: stage[name] for name in named} for stage in shown["stages"]]
    return {"shown": json.dumps(kept, sort_keys=True)}


def _loaded(make: str, load: dict[str, Any] | None = None, **options: Any) -> Callable[[], Any]:
    return lambda: tiny.load_model(getattr(tiny, make)(**options), **(load or {}))


MODELS: dict[str, Callable[[], Any]] = {
    FLUX: _loaded("flux_weights", seed=1),
    SD3: _loaded("sd3_weights", seed=2),
    "flux schnell": _loaded("flux_weights", seed=4, guidance=False),
    "flux fill": _loaded("flux_weights", seed=40, in_channels=96),
    "flux depth": _loaded("flux_weights", seed=41, in_channels=32),
    "flux bf16": _loaded("flux_weights", {"dtype": torch.bfloat16}, seed=1),
    "flux fp8": _loaded("flux_weights", {"dtype": torch.float8_e4m3fn}, seed=1),
    "sd3 bf16": _loaded("sd3_weights", {"dtype": torch.bfloat16}, seed=2),
    "sd3 dual attention": _loaded("sd3_weights", seed=43, dual_attention=True),
}
