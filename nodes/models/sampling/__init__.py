"""Sampling: noise, sigmas, samplers, guiders."""
