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
            f"An image of {w}x{h} pixels does not split into {grid[1]}x{grid[0]} coarse tokens: "
            "use the model's own VAE, which makes 8 pixels of each latent one."
        )
    edges = edge_pixels(image, detector)
    return edges.reshape(b, grid[0], h // grid[0], grid[1], w // grid[1]).mean(dim=(2, 4))


def edge_pixels(image: torch.Tensor, detector: str) -> torch.Tensor:
    """Canny edges of (B, H, W, 3) in [0, 1]: (B, H, W) float32 of 0 and 1."""
    levels = _grey_levels(image)
    return _canny_opencv(levels) if detector == "canny" else _canny_tensor(levels)


def _grey_levels(image: torch.Tensor) -> torch.Tensor:
    """Channel by channel: a decoder's channels lie apart, and no product of all is kept."""
    red, green, blue = image.float().unbind(-1)
    grey = red * LUMA[0]
    grey += green * LUMA[1]
    grey += blue * LUMA[2]
    return grey.clamp_(0, 1).mul_(255).to(torch.uint8)


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
    found = torch.stack([torch.from_numpy(one) for one in edges]).ne_(0)
    return found.float().to(levels.device)


def _canny_tensor(levels: torch.Tensor) -> torch.Tensor:
    """OpenCV's Canny in tensor operations, pixel for pixel.

    Not kornia's `canny`: that one drops a pixel whose neighbour is equally strong, so it loses
    straight edges, which have two such rows. Numbers are as small as they may be: at 4096 pixels
    every pass over the picture goes to main memory.
    """
    dx, dy = _sobel(levels)
    strength = dx.abs() + dy.abs()
    ridge = _is_ridge(dx, dy, strength)
    return _connected(ridge & (strength > CANNY_HIGH), ridge & (strength > CANNY_LOW)).float()


def _sobel(levels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Horizontal and vertical gradient of (B, H, W) uint8, borders repeated: int16, to 1020."""
    tall = torch.cat([levels[:, :1], levels, levels[:, -1:]], dim=1)
    padded = torch.cat([tall[..., :1], tall, tall[..., -1:]], dim=2).to(torch.int16)
    above, here, below = padded[:, :-2], padded[:, 1:-1], padded[:, 2:]
    smooth, slope = above + 2 * here + below, below - above
    dx = smooth[..., 2:] - smooth[..., :-2]
    return dx, slope[..., :-2] + 2 * slope[..., 1:-1] + slope[..., 2:]


def _is_ridge(dx: torch.Tensor, dy: torch.Tensor, strength: torch.Tensor) -> torch.Tensor:
    """Strongest across the edge; of two equal neighbours the upper or left one counts."""
    h, w = strength.shape[-2:]
    padded = F.pad(strength, (1, 1, 1, 1))

    def exceeds(down: int, right: int, margin: int = 0) -> torch.Tensor:
        return strength + margin > padded[:, 1 + down : 1 + down + h, 1 + right : 1 + right + w]

    x, y = dx.abs().int(), dy.abs().int() << 15
    beside = exceeds(0, -1) & exceeds(0, 1, margin=1)
    above = exceeds(-1, 0) & exceeds(1, 0, margin=1)
    falling = exceeds(-1, -1) & exceeds(1, 1)
    rising = exceeds(-1, 1) & exceeds(1, -1)
    diagonal = torch.where((dx ^ dy) < 0, rising, falling)
    steep = torch.where(y > x * (TAN_22 + (1 << 16)), above, diagonal)  # tan 67.5 = tan 22.5 + 2
    return torch.where(y < x * TAN_22, beside, steep)


def _connected(strong: torch.Tensor, weak: torch.Tensor) -> torch.Tensor:
    """The weak pixels that touch a strong one, directly or through others: (B, H, W) bool.

    Growing from the strong ones takes a pass for every pixel of the longest edge. Here all weak
    pixels are joined into components, in a number of rounds that grows with its logarithm.
    """
    row = weak.shape[-1] + 2
    padded = F.pad(weak, (1, 1, 1, 1))
    flat = padded.flatten()
    places = flat.nonzero()[:, 0]
    component = _components(flat, places, (1, row - 1, row, row + 1))
    touches = torch.zeros_like(places, dtype=torch.bool)
    touches[component[F.pad(strong, (1, 1, 1, 1)).flatten()[places]]] = True
    flat[places] = touches[component]
    return flat.reshape(padded.shape)[:, 1:-1, 1:-1]


def _components(flat: torch.Tensor, places: torch.Tensor, steps: tuple[int, ...]) -> torch.Tensor:
    """Join neighbouring pixels: for each place the number of one place, equal where connected.

    flat    bool, the pixels of a padded picture.
    places  where it is True.
    steps   from a pixel to those neighbours that come after it.
    """
    numbers = torch.arange(places.numel(), device=places.device)
    number = torch.zeros_like(flat, dtype=torch.int64)
    number[places] = numbers
    ends = places + torch.tensor(steps, device=places.device)[:, None]
    step, one = flat[ends].nonzero().unbind(1)
    other = number[ends[step, one]]
    component = numbers
    while True:
        a, b = component[one], component[other]
        apart = a != b
        if not apart.any():
            return component
        one, other, a, b = (part[apart] for part in (one, other, a, b))
        component = component.clone()
        component[torch.maximum(a, b)] = torch.minimum(a, b)  # of several smaller ones, any
        while not torch.equal(component, further := component[component]):
            component = further


def _opencv():
    try:
        import cv2
    except ImportError as missing:
        raise ImportError(
            "The Canny edge detector needs OpenCV, which ComfyUI does not install: run "
            "`pip install opencv-python` in ComfyUI's Python, or set the detector to canny_gpu."
        ) from missing
    return cv2
