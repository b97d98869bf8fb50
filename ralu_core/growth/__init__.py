"""How a coarse latent grows to twice its size: one way in each line of the table."""

from __future__ import annotations

from .enlarged import Enlarged
from .growth import Growth, Projected
from .interpolated import Lanczos, Smooth
from .nearest import Pixel, Token
from .spectral import Spectral

__all__ = ["DEFAULT_GROWTH", "GROWTHS", "Growth", "Projected", "growth_named"]

GROWTHS: dict[str, Growth] = {
    growth.name: growth
    for growth in (
        Token(),
        Pixel(),
        Smooth("bilinear"),
        Smooth("bicubic"),
        Lanczos(),
        Spectral(),
        Enlarged(),
    )
}
DEFAULT_GROWTH = "pixel"  # the quality bench's tables say why


def growth_named(name: str | Growth) -> Growth:
    """The growth of that name; one that was fitted is itself. ValueError lists the names there
    are."""
    if isinstance(name, Growth):
        return name
    if name not in GROWTHS:
        raise ValueError(f"Upsampling must be one of {', '.join(GROWTHS)}, got {name!r}.")
    return GROWTHS[name]
