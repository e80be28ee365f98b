"""Model families: how a file is recognised and what its networks are."""
