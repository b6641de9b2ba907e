"""Conformance: the vectors as data, and which tests show them."""
