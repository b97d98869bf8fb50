"""Cases of the sampler's own inputs: presets, samplers, guidance, sizes, batches, masks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch

from .bench import FAMILIES, FLUX, PRESET, QUICK, SD3, SIZE, Bench, Case, empty, is_refused
from .wires import painted, picture, ramp, square

Named = Iterator[tuple[str, Case]]

OVERRIDES = {
    "steps": {"steps_1": 3, "steps_2": 1, "steps_3": 4},
    "ends": {"end_sigma_1": 0.8, "end_sigma_2": 0.5},
    "ratio .05": {"ratio": 0.05},
    "ratio .9": {"ratio": 0.9},
    "all": QUICK,
}
# Latent rows and columns: one odd, both odd, no multiple of 4, wide and tall as 1920x1080, square.
SIZES = [(25, 33), (33, 25), (22, 31), (18, 32), (32, 18), (17, 64), (32, 32), (8, 8), (16, 40)]
SECOND_ORDER = ("euler", "dpmpp_2m", "euler_ancestral", "dpmpp_2m_sde", "res_multistep", "lcm")
EDGE_DETECTORS = ("canny", "canny_gpu", "auto")  # others know no threshold
DENOISE = (0.95, 0.85, 0.7, 0.3)
MASKS = {
    "hard": square()[None],
    "soft": ramp()[None],
    "of latent size": square(SIZE, 0.8, 0.1)[None],
    "nothing": torch.zeros(1, 1, 192, 256),
    "everything": torch.ones(1, 1, 192, 256),
    "plane": square()[0],
}
NUMBERS = {"one": [2], "repeated": [1, 1], "reordered": [2, 0, 1], "gap": [0, 5]}


def cases(bench: Bench) -> Named:
    for kind in FAMILIES:
        for part in (_presets, _samplers, _numbers, _sizes, _batches, _latents, _regions):
            for name, case in part(bench, kind):
                yield f"{kind}/{name}", case
    yield "flux schnell/no schedule", partial(bench.sample, "flux schnell", widgets=None)
    distilled = {"preset": "4-step distilled"}
    for kind in ("flux schnell", SD3):
        run = partial(bench.sample, kind, widgets=distilled, latent_image=empty(2))
        yield f"{kind}/4 steps, batch of 2", run


def _presets(bench: Bench, kind: str) -> Named:
    for preset in bench.options("RALU_Schedule", "preset"):
        for shifts in bench.options("RALU_Schedule", "shifts"):
            refused = "refused/" if is_refused(preset, shifts) else ""
            widgets = {"preset": preset, "shifts": shifts}
            yield f"{refused}preset/{preset}/{shifts}", partial(bench.sample, kind, widgets=widgets)
    for name, widgets in OVERRIDES.items():
        yield f"override/{name}", partial(bench.sample, kind, widgets=widgets)
    yield "no schedule", partial(bench.sample, kind, widgets=None)


def _samplers(bench: Bench, kind: str) -> Named:
    for sampler in bench.options("RALU_Sampler", "sampler_name"):
        yield f"sampler/{sampler}", partial(bench.sample, kind, sampler_name=sampler)
    latent = {"samples": picture(), "noise_mask": square()[None]}
    for sampler in SECOND_ORDER:
        run = partial(bench.sample, kind, sampler_name=sampler, cfg=3.0, latent_image=latent)
        yield f"sampler/{sampler}, masked, cfg 3", run


def _numbers(bench: Bench, kind: str) -> Named:
    for cfg in (1.0, 1.8, 4.5):
        yield f"cfg/{cfg:g}", partial(bench.sample, kind, cfg=cfg)
    for seed in (0, 1, 2**64 - 1):
        yield f"seed/{seed}", partial(bench.sample, kind, seed=seed)
    for detector in bench.options("RALU_Sampler", "edge_detector"):
        for threshold in (0.0, 0.02, 0.1, 1.0) if detector in EDGE_DETECTORS else (0.0,):
            run = partial(bench.sample, kind, edge_detector=detector, edge_threshold=threshold)
            yield f"detector/{detector}, threshold {threshold:g}", run
    run = partial(bench.sample, kind, edge_detector="latent_gradient", vae=None)
    yield "detector/latent_gradient without a VAE", run
    for upsampling in bench.options("RALU_Sampler", "upsampling"):
        yield f"upsampling/{upsampling}", partial(bench.sample, kind, upsampling=upsampling)
        latent = {"samples": picture(size=(25, 33))}
        run = partial(bench.sample, kind, upsampling=upsampling, latent_image=latent, denoise=0.9)
        yield f"upsampling/{upsampling}, img2img, odd size", run


def _sizes(bench: Bench, kind: str) -> Named:
    for size in SIZES:
        name = f"{size[1] * 8}x{size[0] * 8}"
        run = partial(bench.sample, kind, latent_image=empty(size=size))
        yield f"size/{name}", run
        run = partial(bench.sample, kind, latent_image=empty(2, size), edge_threshold=0.08, cfg=2.0)
        yield f"size/{name}, batch by threshold", run


def _batches(bench: Bench, kind: str) -> Named:
    yield "batch/3", partial(bench.sample, kind, latent_image=empty(3))
    yield "batch/3, cfg 3", partial(bench.sample, kind, latent_image=empty(3), cfg=3.0)
    for name, numbers in NUMBERS.items():
        latent = {**empty(len(numbers)), "batch_index": numbers}
        yield f"batch/index, {name}", partial(bench.sample, kind, latent_image=latent)
    for threshold in (0.02, 0.05, 0.15):
        run = partial(bench.sample, kind, latent_image=empty(3), edge_threshold=threshold, cfg=2.0)
        yield f"batch/threshold {threshold:g}", run
    for sampler in ("euler_ancestral", "dpmpp_2m_sde", "uni_pc"):
        mixed = {"latent_image": empty(2), "region_mask": painted()}
        run = partial(bench.sample, kind, sampler_name=sampler, **mixed)
        yield f"batch/uneven, {sampler}", run


def _latents(bench: Bench, kind: str) -> Named:
    for denoise in DENOISE:
        for cfg in (1.0, 3.0):
            latent = {"samples": picture()}
            run = partial(bench.sample, kind, latent_image=latent, denoise=denoise, cfg=cfg)
            yield f"img2img/{denoise:g}, cfg {cfg:g}", run
        latent = {"samples": picture(batch=2), "noise_mask": square()[None], "batch_index": [1, 4]}
        run = partial(bench.sample, kind, latent_image=latent, denoise=denoise)
        yield f"img2img/{denoise:g}, masked, batch", run
        preset = {"preset": PRESET[kind]}
        run = partial(
            bench.sample, kind, widgets=preset, latent_image={"samples": picture()}, denoise=denoise
        )
        yield f"img2img/{denoise:g}, {PRESET[kind]}", run
    for name, mask in MASKS.items():
        latent = {"samples": picture(), "noise_mask": mask}
        yield f"inpaint/{name}", partial(bench.sample, kind, latent_image=latent)
    both = torch.cat([square(), ramp()])[:, None]
    latent = {"samples": picture(batch=2), "noise_mask": both}
    yield "inpaint/a mask per picture", partial(bench.sample, kind, latent_image=latent, cfg=2.0)
    latent = {"samples": picture(size=(22, 31)), "noise_mask": square((176, 248))[None]}
    yield "inpaint/odd size", partial(bench.sample, kind, latent_image=latent)


def _regions(bench: Bench, kind: str) -> Named:
    yield "region_mask/one", partial(bench.sample, kind, region_mask=square())
    yield "region_mask/soft", partial(bench.sample, kind, region_mask=ramp())
    yield "region_mask/smaller", partial(bench.sample, kind, region_mask=square((48, 64)))
    yield "region_mask/all", partial(bench.sample, kind, region_mask=torch.ones(1, 192, 256))
    run = partial(bench.sample, kind, latent_image=empty(3), region_mask=square())
    yield "region_mask/one for a batch", run
    for batch in (2, 3):
        uneven = {"latent_image": empty(batch), "region_mask": painted(batch)}
        yield f"region_mask/uneven batch of {batch}", partial(bench.sample, kind, **uneven)
        run = partial(bench.sample, kind, **uneven, cfg=2.5, edge_threshold=0.1)
        yield f"region_mask/uneven batch of {batch}, threshold, cfg", run
    latent = {"samples": picture(size=(25, 33))}
    run = partial(
        bench.sample, kind, latent_image=latent, region_mask=square((200, 264)), denoise=0.95
    )
    yield "region_mask/odd size, img2img", run
    if kind == FLUX:
        run = partial(bench.sample, kind, region_mask=square(), edge_detector="latent_gradient")
        yield "region_mask/latent_gradient", run
