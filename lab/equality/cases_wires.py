"""Cases of what is connected: ControlNets, models that read more, regional prompts, LoRAs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from comfy_extras.nodes_model_advanced import ModelSamplingFlux, ModelSamplingSD3

from .bench import FAMILIES, FLUX, SD3, Bench, Case, Wire, empty
from .wires import (
    by_area,
    by_mask,
    by_step,
    concat,
    controlled,
    fill_inpainting,
    hooked_lora,
    inpainting_control,
    kontext,
    lora,
    painted,
    patched,
    picture,
    ramp,
    redux,
    square,
    two_prompts,
)

Named = Iterator[tuple[str, Case]]

CONTROLS = {
    FLUX: ("flux instantx", "flux xlabs"),
    SD3: ("sd3", "sd3.5 large"),
}
UNEVEN: dict[str, Any] = {"latent_image": empty(2), "region_mask": painted()}
# Every wire is run as a single picture and as this.
GUIDED_BATCH: dict[str, Any] = {**UNEVEN, "cfg": 2.5}
LEFT = 1 - ramp().round()

FOR_ALL: dict[str, Wire] = {
    "area/inner": by_area("ConditioningSetArea", 128, 64, 64, 32, 0.7),
    "area/beyond the edge": by_area("ConditioningSetArea", 512, 64, 200, 128, 1.0),
    "area/thin": by_area("ConditioningSetArea", 256, 8, 0, 80, 1.0),
    "area/percentage": by_area("ConditioningSetAreaPercentage", 0.5, 0.4, 0.23, 0.31, 1.0),
    "mask/half": by_mask(LEFT),
    "mask/soft, half as strong": by_mask(ramp(), 0.5),
    "mask/bounds": by_mask(LEFT, 0.8, "mask bounds"),
    "range of steps/.3": by_step(0.3),
    "range of steps/.6": by_step(0.6),
    "lora/model": lora,
    "lora/hook of one prompt by step": hooked_lora,
}
FOR_FLUX: dict[str, Wire] = {
    "control/union, openpose": controlled("flux union", union="openpose"),
    "control/union, tile": controlled("flux union", 0.6, union="tile"),
    "control/inpainting": inpainting_control,
    "redux": redux(),
    "redux/of another size": redux(0.6, (10, 10)),
    "kontext/default": kontext(),
    **{
        f"kontext/{method}, {count}": kontext(method, count)
        for method in ("offset", "index", "uxo")
        for count in (1, 2)
    },
}
SAMPLING = {
    "ModelSamplingFlux": patched(ModelSamplingFlux, 0.9, 0.4, 768, 512),
    "ModelSamplingSD3 of 5": patched(ModelSamplingSD3, 5.0),
    "ModelSamplingSD3 of 1.5": patched(ModelSamplingSD3, 1.5),
}


def _controls(kind: str) -> dict[str, Wire]:
    made: dict[str, Wire] = {}
    for net in CONTROLS[kind]:
        made[f"control/{net}"] = controlled(net)
        made[f"control/{net}, strength .4"] = controlled(net, 0.4)
        made[f"control/{net}, from .2 to .6"] = controlled(net, 1.0, 0.2, 0.6)
        made[f"control/{net}, chained"] = controlled(net, 0.7, chained=True)
        made[f"control/{net}, positive only"] = controlled(net, negative=False)
    return made


def cases(bench: Bench) -> Named:
    for kind in FAMILIES:
        wires = {**FOR_ALL, **_controls(kind), **(FOR_FLUX if kind == FLUX else {})}
        for name, wire in wires.items():
            yield f"{kind}/{name}", partial(bench.sample, kind, wire)
            if "strength" in name or "uxo" in name:
                continue
            run = partial(bench.sample, kind, wire, **GUIDED_BATCH)
            yield f"{kind}/{name}, uneven batch, cfg", run
        yield from _mixtures(bench, kind)
    yield from _models(bench)


def _mixtures(bench: Bench, kind: str) -> Named:
    """A few wires together with odd sizes, img2img and masks, as people combine them."""
    net = CONTROLS[kind][0]
    latent = {"samples": picture(size=(22, 31))}
    run = partial(bench.sample, kind, controlled(net, size=(176, 248)), latent_image=latent)
    yield f"{kind}/control/odd size", run
    latent = {"samples": picture(), "noise_mask": square()[None]}
    for name, wire in (("control", controlled(net)), ("mask", by_mask(LEFT)), ("lora", lora)):
        run = partial(bench.sample, kind, wire, latent_image=latent, denoise=0.9, cfg=2.0)
        yield f"{kind}/{name}/img2img, masked", run
    run = partial(bench.sample, kind, by_area("ConditioningSetArea", 96, 128, 0, 0, 1.0))
    yield f"{kind}/area/corner, odd size", partial(run, latent_image=empty(1, (23, 30)))
    yield f"{kind}/two prompts", partial(bench.sample, kind, two_prompts, latent_image=empty(2))
    run = partial(bench.sample, kind, two_prompts, **GUIDED_BATCH)
    yield f"{kind}/two prompts, uneven batch, cfg", run


def _models(bench: Bench) -> Named:
    for kind, model in ((FLUX, "ModelSamplingFlux"), *((SD3, name) for name in SAMPLING)):
        if (kind, model) == (SD3, "ModelSamplingFlux"):
            continue
        yield f"{kind}/{model}", partial(bench.sample, kind, SAMPLING[model])
        yield f"{kind}/{model}, cfg", partial(bench.sample, kind, SAMPLING[model], cfg=4.0)
    run = partial(bench.sample, SD3, SAMPLING["ModelSamplingSD3 of 5"], widgets=None)
    yield "sd3/ModelSamplingSD3 of 5, no schedule", run
    for kind in ("flux bf16", "flux fp8", "sd3 bf16", "sd3 dual attention"):
        yield f"{kind}/weights", partial(bench.sample, kind)
        yield f"{kind}/weights, uneven batch, cfg", partial(bench.sample, kind, **GUIDED_BATCH)
        yield f"{kind}/weights, lora", partial(bench.sample, kind, lora)
    for kind, wire in (("flux fill", concat(True)), ("flux depth", concat(False))):
        yield f"{kind}/concat", partial(bench.sample, kind, wire)
        yield f"{kind}/concat, uneven batch, cfg", partial(bench.sample, kind, wire, **GUIDED_BATCH)
        wire = concat(kind == "flux fill", (22, 31))
        run = partial(bench.sample, kind, wire, latent_image=empty(1, (22, 31)))
        yield f"{kind}/concat, odd size", run
    yield "flux fill/inpainting", partial(bench.sample, "flux fill", fill_inpainting)
    run = partial(bench.sample, "flux fill", fill_inpainting, denoise=0.85)
    yield "flux fill/inpainting, .85", run
