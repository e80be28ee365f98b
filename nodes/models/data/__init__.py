"""Text and numbers from workflows: expressions, templates, regular expressions."""
