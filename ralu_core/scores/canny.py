"""OpenCV's Canny, as in the paper and the released code."""

from __future__ import annotations

from typing import NoReturn

import torch

from .edge_share import CANNY_HIGH, CANNY_LOW, EdgeShare


class Canny(EdgeShare):
    """Edges by OpenCV on the CPU."""

    name = "canny"
    words = "canny: OpenCV on the decoded estimate, as in the paper"

    def edges(self, levels: torch.Tensor) -> torch.Tensor:
        cv2 = _opencv()
        edges = [cv2.Canny(one, CANNY_LOW, CANNY_HIGH) for one in levels.cpu().numpy()]
        found = torch.stack([torch.from_numpy(one) for one in edges]).ne_(0)
        return found.float().to(levels.device)

    def check(self) -> None:
        _opencv()


def _opencv():
    try:
        import cv2
    except (ImportError, AttributeError, OSError) as error:
        # A library that cv2's own extension lacks is told by that name, too.
        if isinstance(error, ModuleNotFoundError) and error.name == "cv2":
            raise ImportError(
                "The Canny edge detector needs OpenCV, and this Python has none: run `pip install "
                "opencv-python` in it, or set the detector to canny_gpu."
            ) from error
        _refuse(str(error), error)
    if not hasattr(cv2, "Canny"):
        _refuse(f"{list(cv2.__path__)} holds none")
    return cv2


def _refuse(why: str, cause: Exception | None = None) -> NoReturn:
    """Also where system libraries lack, which the headless one does without."""
    raise ImportError(
        f"The Canny edge detector needs OpenCV, and this Python's cannot be used ({why}): run `pip "
        "install --force-reinstall opencv-python-headless` in it, or set the detector to canny_gpu."
    ) from cause
