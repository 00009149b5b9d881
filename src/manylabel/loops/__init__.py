"""Loops: they know the `Method` protocol and never a concrete method."""
