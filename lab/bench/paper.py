"""The compute table of the paper (arXiv 2507.08422), and what each row must have run.

The paper counts the FLOPs of linear layers and convolutions, of T5's attention, but not of the
diffusion transformer's attention; text encoders and VAE decodes are included. It states neither
text lengths nor every ratio: those here are the ones at which all rows agree to 0.03 %.
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.bench.runs import Setting
from lab.bench.text_encoders import PAPER_TOKENS

# The 5x row fits no other text length; the released script indeed asks for 256, its library 512.
SHORT_TEXT = 256


@dataclass(frozen=True)
class PaperRow:
    """published is in TFLOP, at 1024 x 1024."""

    name: str
    published: float
    architecture: str
    setting: Setting
    text_tokens: int


def _row(name: str, published: float, architecture: str, text: int, **setting) -> PaperRow:
    return PaperRow(name, published, architecture, Setting(name, **setting), text)


FLUX, SD3 = PAPER_TOKENS["flux1"], PAPER_TOKENS["sd3"]
TURBO, DISTILLED = "sd3.5-large-turbo", "4-step distilled"
ROWS = (
    _row("FLUX, 50 steps", 2991.00, "flux-dev", FLUX, steps=50),
    _row("FLUX, 10 steps", 610.02, "flux-dev", FLUX, steps=10),
    _row("FLUX, 7 steps", 431.45, "flux-dev", FLUX, steps=7),
    _row("FLUX, RALU 5x", 540.47, "flux-dev", SHORT_TEXT, preset="FLUX 5x", ratio=0.2),
    _row("FLUX, RALU 7x", 426.01, "flux-dev", FLUX, preset="FLUX 7x", ratio=0.1),
    _row("SD3, 28 steps", 351.66, "sd3-medium", SD3, steps=28),
    _row("SD3, 14 steps", 183.30, "sd3-medium", SD3, steps=14),
    _row("SD3, 9 steps", 123.17, "sd3-medium", SD3, steps=9),
    _row("SD3, RALU 2x", 181.09, "sd3-medium", SD3, preset="SD3 2x", ratio=0.3),
    _row("SD3, RALU 3x", 116.61, "sd3-medium", SD3, preset="SD3 3x", ratio=0.2),
    _row("schnell, 4 steps", 252.88, "flux-schnell", FLUX, steps=4),
    _row("schnell, RALU", 187.92, "flux-schnell", FLUX, preset=DISTILLED, ratio=0.3),
    _row("SD3.5 Large Turbo, 4 steps", 107.93, TURBO, SD3, steps=4),
    _row("SD3.5 Large Turbo, RALU", 82.23, TURBO, SD3, preset=DISTILLED, ratio=0.3),
)
