"""Tests of the benchmarks in a tiny form, so that they keep running."""
