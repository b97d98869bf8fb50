"""Cases of the other nodes' outputs, of what all nodes publish, and of what they refuse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from comfy_extras.nodes_model_advanced import ModelSamplingSD3

from .bench import FAMILIES, FLUX, SD3, Bench, Case, Outputs, empty, is_refused
from .wires import painted, patched, photo, picture, square

Named = Iterator[tuple[str, Case]]

OVERRIDES: dict[str, dict[str, Any]] = {
    "steps": {"steps_1": 3, "steps_2": 2, "steps_3": 7},
    "ends": {"end_sigma_1": 0.85, "end_sigma_2": 0.4},
    "ratio": {"ratio": 0.5},
    "size": {"width": 1920, "height": 1080},
}
PICTURES = {
    "plain": photo(),
    "batch": photo(batch=3),
    "odd size": photo(size=(205, 267)),
    "grey": photo()[..., :1],
    "with alpha": torch.cat([photo(), photo()[..., :1]], dim=-1),
}
# What a sampler stops at, in one sentence each.
REFUSED: dict[str, dict[str, Any]] = {
    "no VAE": {"vae": None},
    "sampler dpm_fast": {"sampler_name": "dpm_fast"},
    "unknown sampler": {"sampler_name": "nothing"},
    "unknown detector": {"edge_detector": "nothing"},
    "unknown upsampling": {"upsampling": "nothing"},
    "video latent": {"latent_image": {"samples": torch.zeros(1, 16, 1, 24, 32)}},
    "numbers of another count": {"latent_image": {**empty(3), "batch_index": [0]}},
    "region mask of another shape": {"region_mask": square((64, 256))},
    "region masks of another count": {"region_mask": painted(2)},
    "denoise of 0": {"denoise": 0.0},
    "no picture": {"latent_image": empty(0)},
    "schedule of another shift": {
        "kind": SD3,
        "wire": patched(ModelSamplingSD3, 5.0),
        "widgets": {"model": None},
    },
}
WIDGETS: dict[str, dict[str, Any]] = {
    "unknown preset": {"preset": "nothing"},
    "ends that rise": {"end_sigma_1": 0.5, "end_sigma_2": 0.6},
    "published beside other steps": {"shifts": "published", "steps_1": 2},
}


def cases(bench: Bench) -> Named:
    for node in bench.nodes:
        yield f"published/{node}", partial(_published, bench, node)
    for preset in bench.options("RALU_Schedule", "preset"):
        yield from _schedules(bench, preset)
    yield from _previews(bench)
    for name, inputs in REFUSED.items():
        yield f"refused/{name}", partial(bench.sample, **inputs)
    for name, widgets in WIDGETS.items():
        yield f"refused/{name}", partial(bench.sample, widgets=widgets)
    preview = bench.nodes["RALU_EdgeMaskPreview"].execute
    yield "refused/preview of nothing", partial(preview, ratio=0.3)
    yield "refused/preview without a VAE", partial(preview, ratio=0.3, latent=empty())


def _published(bench: Bench, node: str) -> Outputs:
    """Names, sockets, defaults and tooltips, as the frontend gets them."""
    info = bench.nodes[node].GET_NODE_INFO_V1()
    return {"info": json.dumps({**info, "python_module": ""}, sort_keys=True, default=str)}


def _schedules(bench: Bench, preset: str) -> Named:
    for shifts in bench.options("RALU_Schedule", "shifts"):
        refused = "refused/" if is_refused(preset, shifts) else ""
        run = partial(_schedule, bench, None, preset=preset, shifts=shifts)
        yield f"{refused}schedule/{preset}/{shifts}", run
    for kind in (*FAMILIES, "flux schnell"):
        yield f"schedule/{preset}/{kind}", partial(_schedule, bench, kind, preset=preset)
    for name, widgets in OVERRIDES.items():
        yield f"schedule/{preset}/{name}", partial(_schedule, bench, FLUX, preset=preset, **widgets)


def _schedule(bench: Bench, kind: str | None, **widgets: Any) -> Outputs:
    """The schedule's own numbers are read off the values that the node shows."""
    given = {"width": 1024, "height": 768, "shifts": "match the model", **widgets}
    model = None if kind is None else bench.model(kind)
    out = bench.nodes["RALU_Schedule"].execute(model=model, **given)
    _, plot, report = out.args
    return {"plot": plot, "report": report, "shown": json.dumps(out.ui, sort_keys=True)}


def _previews(bench: Bench) -> Named:
    for detector in bench.options("RALU_EdgeMaskPreview", "edge_detector"):
        for threshold in (0.0, 0.06):
            chosen = {"edge_detector": detector, "edge_threshold": threshold}
            name = f"preview/{detector}, threshold {threshold:g}"
            latent = {"samples": picture(batch=2)}
            run = partial(_preview, bench, latent=latent, vae=bench.vae, **chosen)
            yield f"{name}/latent", run
            if detector == "latent_gradient":
                continue
            for other, image in PICTURES.items():
                yield f"{name}/{other}", partial(_preview, bench, image=image, **chosen)
    for ratio in (0.01, 0.5, 0.99):
        yield f"preview/ratio {ratio:g}", partial(_preview, bench, image=photo(), ratio=ratio)
    run = partial(bench.nodes["RALU_EdgeMaskPreview"].execute, ratio=0.3, image=photo())
    yield "refused/preview of a picture by latent", partial(run, edge_detector="latent_gradient")


def _preview(bench: Bench, ratio: float = 0.3, **inputs: Any) -> Outputs:
    out = bench.nodes["RALU_EdgeMaskPreview"].execute(ratio=ratio, **inputs)
    return {"MASK": out.args[0], "overlay": out.args[1]}
