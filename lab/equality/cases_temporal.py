"""Cases of the temporal acceleration, inside RALU's stages and in a plain KSampler."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from comfy_extras.nodes_easycache import EasyCacheNode
from comfy_extras.nodes_slg import SkipLayerGuidanceDiT

from .bench import FAMILIES, FLUX, PRESET, SD3, Bench, Case, Wire, empty
from .cases_guests import GUIDERS, perturbed
from .wires import (
    by_mask,
    by_step,
    controlled,
    hooked_lora,
    kontext,
    lora,
    painted,
    patched,
    picture,
    ramp,
    redux,
    square,
)

Named = Iterator[tuple[str, Case]]

# Those of BRIEF skip something even in the short stages of BRISK.
METHODS: dict[str, dict[str, Any]] = {
    "TaylorSeer 0": {"method": "TaylorSeer", "order": 0, "warm_up": 1, "interval": 2},
    "TaylorSeer 1": {"method": "TaylorSeer", "order": 1, "warm_up": 1, "interval": 2},
    "TaylorSeer 2": {"method": "TaylorSeer", "order": 2, "warm_up": 2},
    "Delta-DiT": {"method": "Delta-DiT", "interval": 2, "warm_up": 1},
    "Delta-DiT, back": {"method": "Delta-DiT", "interval": 2, "warm_up": 1, "range_start": 0.5},
    "Delta-DiT, front": {"method": "Delta-DiT", "interval": 2, "warm_up": 1, "range_end": 0.5},
    "ToCa": {"method": "ToCa", "warm_up": 1, "interval": 2, "cached_ratio": 0.7},
    "ToCa .9": {"method": "ToCa", "warm_up": 1, "interval": 4},
    "TeaCache": {"method": "TeaCache", "threshold": 0.6},
    "idle": {"method": "TaylorSeer", "interval": 1},
}
STEPS = {"steps_1": 3, "steps_2": 4, "steps_3": 5, "end_sigma_1": 0.7, "end_sigma_2": 0.55}
UNEVEN: dict[str, Any] = {"latent_image": empty(2), "region_mask": painted()}
IN_STAGES: dict[str, dict[str, Any]] = {
    "one": {},
    "cfg": {"cfg": 3.0},
    "batch, cfg": {"latent_image": empty(2), "cfg": 2.0},
    "uneven batch": UNEVEN,
    "uneven batch, cfg": {**UNEVEN, "cfg": 2.0},
    "img2img, masked": {
        "latent_image": {"samples": picture(), "noise_mask": square()[None]},
        "denoise": 0.9,
    },
    "odd size": {"latent_image": empty(1, (25, 33)), "edge_threshold": 0.08},
    "dpmpp_2m": {"sampler_name": "dpmpp_2m"},
}
PLAIN: dict[str, dict[str, Any]] = {
    "one": {},
    "batch, cfg": {"batch": 2, "cfg": 3.0},
    "20 steps": {"steps": 20},
}
BRISK = {"steps_1": 2, "steps_2": 3, "steps_3": 3, "end_sigma_1": 0.7, "end_sigma_2": 0.55}
BRIEF = ("TaylorSeer 1", "Delta-DiT, back", "ToCa", "TeaCache")  # one of each method
SLG = patched(SkipLayerGuidanceDiT, 3.0, 0.0, 1.0, "1", "0")


def _wires(kind: str) -> dict[str, Wire]:
    shared = {
        "mask": by_mask(ramp(), 0.5),
        "range of steps": by_step(0.5),
        "lora": lora,
        "hook": hooked_lora,
        "SLG": SLG,
        "perturbed block": perturbed,
    }
    if kind == FLUX:
        shared |= {"redux": redux(), "kontext": kontext(count=2)}
    return {**shared, "control": controlled("flux instantx" if kind == FLUX else SD3, end=0.6)}


def cases(bench: Bench) -> Named:
    for kind in FAMILIES:
        for method, widgets in METHODS.items():
            name = f"{kind}/temporal/{method}"
            for other, inputs in IN_STAGES.items():
                run = partial(bench.sample, kind, None, STEPS, widgets, **inputs)
                yield f"{name}/{other}", run
            for other, inputs in PLAIN.items():
                yield f"{name}/plain, {other}", partial(bench.plain, kind, None, widgets, **inputs)
        for method in BRIEF:
            yield from _wired(bench, kind, method)
        yield f"{kind}/temporal/none/plain", partial(bench.plain, kind)
        run = partial(bench.sample, kind, None, {"preset": PRESET[kind]}, METHODS["TaylorSeer 1"])
        yield f"{kind}/temporal/TaylorSeer 1/{PRESET[kind]}", run
    easy = patched(EasyCacheNode, 0.2, 0.0, 1.0, False)
    run = partial(bench.sample, FLUX, easy, temporal=METHODS["ToCa"])
    yield "flux/refused/temporal beside EasyCache", run
    tight = {**METHODS["ToCa"], "max_memory": 1e-5}
    run = partial(bench.sample, FLUX, temporal=tight)
    yield "flux/refused/temporal beyond its memory", run


def _wired(bench: Bench, kind: str, method: str) -> Named:
    name, widgets = f"{kind}/temporal/{method}", METHODS[method]
    for other, wire in _wires(kind).items():
        run = partial(bench.sample, kind, wire, BRISK, widgets, cfg=2.0, **UNEVEN)
        yield f"{name}/{other}, uneven batch, cfg", run
    for other in ("lora", "range of steps", "control"):
        wire = _wires(kind)[other]
        yield f"{name}/plain, {other}", partial(bench.plain, kind, wire, widgets, cfg=2.0)
    for other, guider in GUIDERS.items():
        run = partial(bench.guided, kind, guider, None, BRISK, widgets, **UNEVEN)
        yield f"{name}/{other}, uneven batch", run
