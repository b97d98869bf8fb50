"""What a latent is: its space and frame, its tokens and layout, its noise and its flow."""
