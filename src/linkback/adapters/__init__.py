"""Edges: each translates between linkback and one framework, and decides nothing."""
