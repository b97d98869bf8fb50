import torch

from ralu_core import Regions, Source, named_plan, over_tokens, sample


def model(tokens, positions, sigma):  # yours: (n, N, 64) tokens at (n, N, 2) rows and columns
    return torch.tanh(tokens + positions[..., :1] / 64)  # their velocity, noise minus clean


def network(tokens, positions, sigma):  # the clean estimate
    return tokens - sigma * model(tokens, positions, sigma)


plan = named_plan("FLUX 7x", 3.158)  # the shift of your model
source = Source.from_noise(torch.randn(1, 16, 128, 128))  # 1024 x 1024 pixels
regions = Regions("latent_gradient")  # needs no decoder
result = sample(over_tokens(network), None, source, plan, seed=0, regions=regions)
print(plan.tokens(64, 64), tuple(result.x.shape))
