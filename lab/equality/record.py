"""A few numbers of some cases' latents, kept with the tests, for when the base is long gone.

They are compared with a tolerance: other processors round otherwise.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from lab.comfy.pins import VERSIONS

from .trees import ROOT, run_cases

FILE = ROOT / "tests" / "data" / "recorded_latents.safetensors"
DIRECTIONS = 16
TOLERANCE = 2e-3  # of a latent's standard deviation
LATENT = "LATENT"

RECORDED = (
    *("flux/preset/FLUX 5x/match the model", "flux/preset/FLUX 7x/published"),
    *("sd3/preset/SD3 2x/match the model", "sd3/preset/SD3 3x/match the model"),
    *("flux schnell/no schedule", "sd3/4 steps, batch of 2"),
    *("flux/override/steps", "sd3/override/ends"),
    *("flux/sampler/dpmpp_2m", "flux/sampler/euler_ancestral", "sd3/sampler/uni_pc"),
    *("sd3/sampler/dpmpp_2m_sde", "flux/sampler/heun"),
    *("sd3/cfg/4.5", "flux/seed/18446744073709551615"),
    *("flux/detector/latent_gradient, threshold 0", "sd3/detector/canny_gpu, threshold 0"),
    *("flux/upsampling/token", "flux/upsampling/bilinear", "sd3/upsampling/lanczos"),
    *("flux/size/264x200", "sd3/size/248x176"),
    *("flux/batch/3, cfg 3", "sd3/batch/index, reordered"),
    *("flux/img2img/0.95, cfg 1", "flux/img2img/0.7, masked, batch", "sd3/img2img/0.3, cfg 3"),
    *("flux/inpaint/soft", "sd3/inpaint/odd size"),
    *("flux/region_mask/uneven batch of 3", "sd3/region_mask/one"),
    *("flux/control/flux instantx", "sd3/control/sd3, uneven batch, cfg"),
    *("flux/redux", "flux/kontext/index, 2", "flux fill/inpainting"),
    *("flux/mask/soft, half as strong", "sd3/area/inner", "flux/range of steps/.6"),
    *("sd3/lora/model", "flux/patch/SLG DiT", "flux/EasyCache"),
    *("flux/temporal/TaylorSeer 2/uneven batch", "flux/temporal/Delta-DiT, back/one"),
    *(
        "sd3/temporal/ToCa/one",
        "flux/temporal/TeaCache/one",
        "sd3/temporal/TaylorSeer 1/plain, one",
    ),
)


def summary(latent: torch.Tensor) -> torch.Tensor:
    """Mean, standard deviation, and the latent along fixed random directions of unit scale."""
    flat = latent.float().cpu().flatten()
    generator = torch.Generator().manual_seed(flat.numel())
    directions = torch.randn(DIRECTIONS, flat.numel(), generator=generator)
    along = directions @ flat / flat.numel() ** 0.5
    return torch.cat([flat.mean()[None], flat.std()[None], along])


def expected(version: str) -> dict[str, torch.Tensor]:
    """The recorded summaries by case; one that is the same in all versions is kept once."""
    kept = load_file(FILE)
    own = f"{version} | "
    shared = {name: value for name, value in kept.items() if " | " not in name}
    return shared | {n.removeprefix(own): value for n, value in kept.items() if n.startswith(own)}


def off_by(found: torch.Tensor, recorded: torch.Tensor) -> float:
    """The largest difference of two summaries, in standard deviations of the recorded latent."""
    return float((found - recorded).abs().max() / recorded[1])


def record() -> str:
    """Run the cases in every version and write the file; returns what was written."""
    made: dict[str, dict[str, torch.Tensor]] = {}
    with tempfile.TemporaryDirectory(prefix="ralu-record-") as folder:
        for version in VERSIONS:
            out = Path(folder) / version
            run_cases({ROOT: out}, version, RECORDED)
            with safe_open(str(out / "tensors.safetensors"), "pt") as file:
                made[version] = {
                    name: summary(file.get_tensor(f"{name} | {LATENT}")) for name in RECORDED
                }
    kept: dict[str, torch.Tensor] = {}
    first = made[VERSIONS[0]]
    for name in RECORDED:
        values = {version: made[version][name] for version in VERSIONS}
        if all(off_by(value, first[name]) < TOLERANCE / 20 for value in values.values()):
            kept[name] = first[name]
        else:
            kept |= {f"{version} | {name}": value for version, value in values.items()}
    save_file(kept, FILE)
    return f"{FILE.name}: {len(RECORDED)} cases, {len(kept) - len(RECORDED)} of them per version"
