"""How well text can be read on its background, by WCAG 2.2 (1.4.3): the ratio of their luminances."""

from __future__ import annotations

NORMAL_LEAST = 4.5
LARGE_LEAST = 3.0
LARGE_FROM_PX = 24
"""Text of 18 points and more is large."""


def luminance(colour: str) -> float:
    """The relative luminance of `#rrggbb`, from 0 for black to 1 for white."""
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The ratio of two colours, from 1 for the same to 21 for black and white."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def least(size_px: int) -> float:
    """The ratio that text of a size needs at least."""
    return LARGE_LEAST if size_px >= LARGE_FROM_PX else NORMAL_LEAST
