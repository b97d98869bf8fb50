"""How much edge lies under each coarse token: the score that picks the regions to grow early."""

from __future__ import annotations

import torch
import torch.nn.functional as F

DETECTORS = ("canny", "canny_gpu", "latent_gradient")
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as OpenCV's RGB to grey
CANNY_LOW, CANNY_HIGH = 100, 200  # the released code's thresholds, on grey levels 0..255
SOBEL_NORM = 8 * 255  # kornia divides its Sobel kernel by 8 and works on 0..1


def needs_image(detector: str) -> bool:
    """Whether the detector looks at a decoded picture rather than at the latent."""
    check_detector(detector)
    return detector != "latent_gradient"


def check_detector(detector: str) -> None:
    if detector not in DETECTORS:
        raise ValueError(f"Edge detector must be one of {', '.join(DETECTORS)}, got {detector!r}.")


def image_scores(image: torch.Tensor, grid: tuple[int, int], detector: str) -> torch.Tensor:
    """Share of edge pixels under each coarse token.

    image     (B, H, W, 3) in [0, 1]; values outside are clipped.
    grid      rows and columns of coarse tokens; they must divide H and W.
    detector  "canny": OpenCV on the CPU, as the released code; "canny_gpu": kornia on the image's
              own device, no copy to the host.
    Returns (B, rows, columns) float32 in [0, 1], on the image's device.
    """
    check_detector(detector)
    if not needs_image(detector):
        raise ValueError(f"Detector {detector!r} reads a latent: call `latent_scores` instead.")
    b, h, w, _ = image.shape
    if h % grid[0] or w % grid[1]:
        raise ValueError(
            f"An image of {w}x{h} pixels does not split into {grid[1]}x{grid[0]} coarse tokens."
        )
    edges = edge_pixels(image, detector)
    return edges.reshape(b, grid[0], h // grid[0], grid[1], w // grid[1]).mean(dim=(2, 4))


def edge_pixels(image: torch.Tensor, detector: str) -> torch.Tensor:
    """Canny edges of (B, H, W, 3) in [0, 1]: (B, H, W) float32 of 0 and 1."""
    grey = (image.float().clamp(0, 1) * image.new_tensor(LUMA, dtype=torch.float32)).sum(-1)
    return _canny_opencv(grey) if detector == "canny" else _canny_kornia(grey)


def latent_scores(latent: torch.Tensor) -> torch.Tensor:
    """Mean gradient magnitude of a coarse latent under each coarse token; needs no decode.

    latent  (B, C, H, W), the clean estimate of stage 1 (the paper's ablation "latent gradient").
    Returns (B, H/2, W/2) float32, scaled so that each picture's largest score is 1.
    """
    from kornia.filters import sobel

    gradient = sobel(latent.float()).mean(dim=1, keepdim=True)
    scores = F.avg_pool2d(gradient, 2)[:, 0]
    return scores / scores.amax(dim=(1, 2), keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)


def _canny_opencv(grey: torch.Tensor) -> torch.Tensor:
    cv2 = _opencv()
    levels = (grey * 255).to(torch.uint8).cpu().numpy()
    edges = [torch.from_numpy(cv2.Canny(one, CANNY_LOW, CANNY_HIGH)) for one in levels]
    return (torch.stack(edges) > 0).to(device=grey.device, dtype=torch.float32)


def _canny_kornia(grey: torch.Tensor) -> torch.Tensor:
    from kornia.filters import canny

    low, high = CANNY_LOW / SOBEL_NORM, CANNY_HIGH / SOBEL_NORM
    return canny(grey[:, None], low_threshold=low, high_threshold=high)[1][:, 0]


def _opencv():
    try:
        import cv2
    except ImportError as missing:
        raise ImportError(
            "The Canny edge detector needs OpenCV, which ComfyUI does not install: run "
            "`pip install opencv-python` in ComfyUI's Python, or set the detector to canny_gpu."
        ) from missing
    return cv2
