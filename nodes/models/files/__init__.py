"""Model files: headers, tensors, what is in them and what keeps one from loading."""
