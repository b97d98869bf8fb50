"""Fit a latent enlarger from a folder of pictures, as the node RALU Fit Latent Enlarger does.

    python -m lab.real.enlarger --vae ae.safetensors --pictures FOLDER

With COMFYUI_PATH set to a ComfyUI that has the VAE, it is saved where that one's nodes find it.
--sheet draws what each reading of a half-size latent looks like.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from lab.bench.results import markdown
from lab.comfy import ralu_pack
from lab.models.viewing import Grid, picture_grid
from lab.real import loading
from ralu_core.growth import enlarger_fit

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}
MOST = 64  # pictures; more change nothing
SHOWN = 2  # on a sheet


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab.real.enlarger", description=__doc__)
    parser.add_argument("--vae", nargs="+", default=[], help="in ComfyUI's vae, one or more")
    parser.add_argument("--stand-in", default="", help="a name in lab/models/stand_ins.py")
    parser.add_argument("--pictures", type=Path, required=True, help="a folder of 4 or more")
    parser.add_argument("--most", type=int, default=MOST, help="pictures that are read of it")
    parser.add_argument("--sheet", type=Path, help="a picture file to draw, of the last VAE")
    parser.add_argument("--out", type=Path, help="a file to write, in place of ComfyUI's folder")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    loading.start(options.stand_in)
    with torch.inference_mode():
        print(report(options))


def report(options: argparse.Namespace) -> str:
    """Fit each VAE, save its enlarger, and the table of what each reading leaves wrong."""
    pictures = read_pictures(options.pictures, options.most)
    names: list[str] = []
    lines = []
    for name, vae in _vaes(options).items():
        fitted = ralu_pack.enlarger_encoding.fitted_to(vae, pictures)
        names = list(fitted.wrong)
        shares = [f"{100 * share:.1f} %" for share in fitted.wrong.values()]
        lines.append([name, *shares, _saved(options.out, vae, fitted)])
        if options.sheet:
            sheet(vae, pictures[:SHOWN], fitted.enlarger).save(options.sheet, quality=88)
    title = (
        f"Share of the full-size latent's energy that each reading of the half-size latent leaves "
        f"wrong, on half of {len(pictures)} pictures, the enlarger fitted on the others."
    )
    return f"{title}\n\n{markdown(['VAE', *names, 'saved'], lines)}"


def read_pictures(folder: Path, most: int = MOST) -> list[torch.Tensor]:
    """(H, W, 3) pictures of a folder in [0, 1], in the order of their names, spread over it.
    ValueError where it has none."""
    files = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise ValueError(
            f"{folder} holds no pictures ({', '.join(sorted(SUFFIXES))}): name a folder with some."
        )
    return [read_picture(path) for path in files[:: -(-len(files) // most)]]


def read_picture(path: Path) -> torch.Tensor:
    """One file; what is transparent lies on white."""
    picture = Image.open(path).convert("RGBA")
    ground = Image.new("RGBA", picture.size, "white")
    return torch.from_numpy(np.array(Image.alpha_composite(ground, picture))[..., :3] / 255).float()


def sheet(vae: Any, pictures: Sequence[torch.Tensor], enlarger: Any) -> Image.Image:
    """A line for each picture: its full-size latent and all readings of the other, decoded."""
    encoding = ralu_pack.enlarger_encoding
    columns: dict[str, list[torch.Tensor]] = {}
    for picture in map(encoding.middle, pictures):
        half, full = encoding.encoded_pair(vae, picture)
        space = encoding.space_for(vae.encode(picture[None]), len(picture))
        read = {name: grown(half) for name, grown in enlarger_fit.readings(enlarger).items()}
        for name, latent in {"full size": full, **read}.items():
            shown = vae.decode(space.leave(latent)).float().cpu().clamp(0, 1).flatten(0, -4)
            columns.setdefault(name, []).append((255 * shown[0].movedim(-1, 0)).round().byte())
    sized = Grid(cell=256, side=4)
    return picture_grid(
        [(name, torch.stack(shown)) for name, shown in columns.items()], [""] * len(pictures), sized
    )


def _vaes(options: argparse.Namespace) -> dict[str, Any]:
    if options.stand_in:
        loaded = loading.load(options)
        return {loaded.name: loaded.vae}
    if not options.vae:
        raise ValueError("Say which VAE to fit: --vae FILE, or --stand-in NAME.")
    return {name: loading.load_vae(name) for name in options.vae}


def _saved(out: Path | None, vae: Any, fitted: Any) -> str:
    """Where it was written."""
    if out is None:
        return str(ralu_pack.enlarger_files.save(vae, fitted) or "nowhere, as it cannot be written")
    save_file(fitted.enlarger.tensors(), out)
    return str(out)


if __name__ == "__main__":
    main()
