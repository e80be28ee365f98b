"""Workflows as data: parsing, validation, order, keys."""
