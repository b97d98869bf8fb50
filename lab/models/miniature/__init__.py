"""The miniature text-to-image models: data, codec, training, and the weights they gave."""
