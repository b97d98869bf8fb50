"""How much edge lies under each coarse token: the score that picks the regions to grow early."""

from __future__ import annotations

import torch
import torch.nn.functional as F

DETECTORS = ("canny", "canny_gpu", "latent_gradient")
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as OpenCV's RGB to grey
CANNY_LOW, CANNY_HIGH = 100, 200  # the released code's thresholds, on grey levels 0..255
TAN_22 = 13573  # tangent of 22.5 degrees times 2**15, as OpenCV rounds it


def needs_image(detector: str) -> bool:
    """Whether the detector looks at a decoded picture rather than at the latent."""
    check_detector(detector)
    return detector != "latent_gradient"


def check_detector(detector: str) -> None:
    if detector not in DETECTORS:
        raise ValueError(f"Edge detector must be one of {', '.join(DETECTORS)}, got {detector!r}.")


def image_scores(image: torch.Tensor, grid: tuple[int, int], detector: str) -> torch.Tensor:
    """Share of edge pixels under each coarse token.

    image     (B, H, W, 3) in [0, 1]; greys outside are clipped.
    grid      rows and columns of coarse tokens; they must divide H and W.
    detector  "canny": OpenCV on the CPU, as the released code; "canny_gpu": the same edges on the
              image's own device, no copy to the host.
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
    red, green, blue = (image.float() * image.new_tensor(LUMA, dtype=torch.float32)).unbind(-1)
    levels = ((red + green + blue).clamp(0, 1) * 255).to(torch.uint8)
    return _canny_opencv(levels) if detector == "canny" else _canny_tensor(levels)


def latent_scores(latent: torch.Tensor) -> torch.Tensor:
    """Mean gradient magnitude of a coarse latent under each coarse token; needs no decode.

    latent  (B, C, H, W), the clean estimate of stage 1 (the paper's ablation "latent gradient").
    Returns (B, H/2, W/2) float32, scaled so that each picture's largest score is 1.
    """
    from kornia.filters import spatial_gradient

    dx, dy = spatial_gradient(latent.float()).unbind(2)
    strength = torch.hypot(dx, dy).mean(dim=1, keepdim=True)  # 20 times faster than norm(dim=2)
    scores = F.avg_pool2d(strength, 2)[:, 0]
    return scores / scores.amax(dim=(1, 2), keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)


def _canny_opencv(levels: torch.Tensor) -> torch.Tensor:
    cv2 = _opencv()
    edges = [cv2.Canny(one, CANNY_LOW, CANNY_HIGH) for one in levels.cpu().numpy()]
    found = torch.stack([torch.from_numpy(one) for one in edges]) > 0
    return found.to(device=levels.device, dtype=torch.float32)


def _canny_tensor(levels: torch.Tensor) -> torch.Tensor:
    """OpenCV's Canny in tensor operations, pixel for pixel.

    Not kornia's `canny`: that one drops a pixel whose neighbour is equally strong, so it loses
    straight edges, which have two such rows.
    """
    from kornia.filters import spatial_gradient

    gradients = spatial_gradient(levels[:, None].float(), normalized=False)[:, 0]
    dx, dy = gradients.round().to(torch.int32).unbind(1)
    strength = dx.abs() + dy.abs()
    ridge = _is_ridge(dx, dy, strength)
    return _connected(ridge & (strength > CANNY_HIGH), ridge & (strength > CANNY_LOW))


def _is_ridge(dx: torch.Tensor, dy: torch.Tensor, strength: torch.Tensor) -> torch.Tensor:
    """Strongest across the edge; of two equal neighbours the upper or left one counts."""
    h, w = strength.shape[-2:]
    padded = F.pad(strength, (1, 1, 1, 1))

    def exceeds(down: int, right: int, margin: int = 0) -> torch.Tensor:
        return strength + margin > padded[:, 1 + down : 1 + down + h, 1 + right : 1 + right + w]

    x, y = dx.abs(), dy.abs() << 15
    beside = exceeds(0, -1) & exceeds(0, 1, margin=1)
    above = exceeds(-1, 0) & exceeds(1, 0, margin=1)
    falling = exceeds(-1, -1) & exceeds(1, 1)
    rising = exceeds(-1, 1) & exceeds(1, -1)
    diagonal = torch.where((dx ^ dy) < 0, rising, falling)
    steep = torch.where(y > x * (TAN_22 + (1 << 16)), above, diagonal)  # tan 67.5 = tan 22.5 + 2
    return torch.where(y < x * TAN_22, beside, steep)


def _connected(strong: torch.Tensor, weak: torch.Tensor) -> torch.Tensor:
    """The weak pixels that touch a strong one, directly or through others: float32 of 0 and 1."""
    weak, edges = weak.float(), strong.float()
    while True:
        grown = F.max_pool2d(edges, 3, stride=1, padding=1) * weak
        if torch.equal(grown, edges):
            return edges
        edges = grown


def _opencv():
    try:
        import cv2
    except ImportError as missing:
        raise ImportError(
            "The Canny edge detector needs OpenCV, which ComfyUI does not install: run "
            "`pip install opencv-python` in ComfyUI's Python, or set the detector to canny_gpu."
        ) from missing
    return cv2
