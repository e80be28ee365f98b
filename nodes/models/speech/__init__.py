"""Text to speech: phonemes, voices, Kokoro."""
