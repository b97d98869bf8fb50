"""A fitted enlarger in words."""

from __future__ import annotations

from pathlib import Path

from ....ralu_core.growth.enlarger_fit import Fitted

ENLARGER = "enlarger"


def told(fitted: Fitted, asked: bool, path: Path | None) -> str:
    """What it leaves wrong, and where it was saved.

    asked  whether it was to be.
    path   its file; None where none was written.
    """
    own = fitted.wrong[ENLARGER]
    others = {name: share for name, share in fitted.wrong.items() if name != ENLARGER}
    lines = [
        f"Enlarger of {fitted.enlarger.channels} channels, fitted on {fitted.pictures} pictures.",
        f"Of the energy of full-size latents it leaves {_percent(own)} wrong; "
        f"{', '.join(f'{name} {_percent(share)}' for name, share in others.items())}. Measured on "
        "half of the pictures, with a map that was fitted on the others.",
    ]
    if own >= min(others.values()):
        lines.append(
            "It is no better than they are: fit it on more or larger pictures, or use dct."
        )
    if path is not None:
        lines.append(f"Saved for this VAE: {path}.")
    elif asked:
        lines.append("Not saved, the log says why: connect ENLARGER to use it.")
    else:
        lines.append("Not saved: connect ENLARGER to use it.")
    return "\n".join(lines)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.1f} %"
