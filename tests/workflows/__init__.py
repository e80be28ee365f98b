"""The workflows that ship with the package."""
