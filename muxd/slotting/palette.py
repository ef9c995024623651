"""The jobs' colours, in the terminal and in pictures alike."""

from __future__ import annotations

__all__ = ["PALETTE"]

PALETTE = (
    "#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#b07aa1", "#edc948", "#76b7b2", "#ff9da7",
    "#9c755f", "#86bcb6", "#d37295", "#a0cbe8", "#8cd17d", "#b6992d", "#d4a6c8", "#79706e",
)  # fmt: skip
"""A colour for each job in turn."""
