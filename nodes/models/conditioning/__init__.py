"""Conditionings: what they hold, where and when they count."""
