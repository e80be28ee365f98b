"""From a prompt to vectors: tokenizers, weights in prompts, text encoders."""
