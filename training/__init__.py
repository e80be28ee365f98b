"""How the built-in demo text-to-image model is made, from the pictures to the shipped folder."""
