"""Audio as waveforms and files."""
