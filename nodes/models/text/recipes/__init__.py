"""How each kind of model takes its text from text encoders: one file for each recipe."""
