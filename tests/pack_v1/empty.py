"""No pack at all."""
