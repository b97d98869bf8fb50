"""Enlargers of latents: fitted on pictures that a VAE encodes at two sizes, and saved for it."""
