"""Arrays into pictures a person can look at."""

import functools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

FONT = Path(__file__).parent / "files" / "droid_sans_fallback_quatrains.ttf"


def grid(images: np.ndarray, columns: int | None = None, margin: int = 2, least_side: int = 56) -> np.ndarray:
    """Lay images out in rows on white.

    Args:
        images: uint8 [N, H, W, C], 1 to 4 channels; alpha is laid on white.
        columns: images in a row; as square as can be when left out.
        margin: pixels between images, before enlarging.
        least_side: small images are enlarged by a whole factor until their short side has this many pixels.

    Returns:
        uint8 [height, width, 3].
    """
    images = rgb(images)
    count, height, width, _ = images.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet = np.full((rows * (height + margin) + margin, columns * (width + margin) + margin, 3), 255, np.uint8)
    for index, image in enumerate(images):
        top = margin + (index // columns) * (height + margin)
        left = margin + (index % columns) * (width + margin)
        sheet[top : top + height, left : left + width] = image
    factor = max(1, math.ceil(least_side / min(height, width)))
    return sheet.repeat(factor, axis=0).repeat(factor, axis=1)


def beside(*sheets: np.ndarray, gap: int = 16) -> np.ndarray:
    """Put pictures, uint8 [H, W, 3] each, side by side on white, `gap` pixels apart."""
    height = max(sheet.shape[0] for sheet in sheets)
    wide = [
        np.pad(sheet, [(0, height - sheet.shape[0]), (gap * (index > 0), 0), (0, 0)], constant_values=255)
        for index, sheet in enumerate(sheets)
    ]
    return np.concatenate(wide, axis=1)


def rgb(images: np.ndarray) -> np.ndarray:
    """Bring uint8 [N, H, W, 1 to 4] to [N, H, W, 3]: grey is repeated, alpha laid on white, two channels padded."""
    channels = images.shape[-1]
    if channels == 1:
        return images.repeat(3, axis=-1)
    if channels == 2:
        return np.concatenate([images, np.zeros_like(images[..., :1])], axis=-1)
    if channels == 4:
        alpha = images[..., 3:].astype(np.float32) / 255
        return np.round(images[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return images


def text(lines: Sequence[str], width: int, columns: int | None = None) -> np.ndarray:
    """Write lines below one another, in columns once there are more than 16.

    Latin letters, and the Chinese characters of the quatrains in the font that ships; what neither font has is a box.

    Args:
        lines: the texts.
        width: the room for each, in Chinese characters; a Latin letter takes 0.61 of one.
        columns: how many; 1 or 2 when left out.

    Returns:
        uint8 [height, width, 3], its size a function of the number of lines, the width and the columns alone.
    """
    columns = columns or (1 if len(lines) <= 16 else 2)
    rows = math.ceil(len(lines) / columns)
    em = 1 / 6  # inches, of letters of 12 points
    inches = (columns * (width + 2) * em, (rows * 1.5 + 1) * em)
    canvas = Figure(figsize=inches, dpi=100)
    families = _families()
    for index, line in enumerate(lines):
        column, row = divmod(index, rows)
        x, y = (column * (width + 2) + 1) * em / inches[0], 1 - (row * 1.5 + 1.25) * em / inches[1]
        # Nothing in a sentence is meant as a formula.
        canvas.text(x, y, line, family=families, size=12, va="center", parse_math=False)
    return from_figure(canvas)


@functools.cache
def _families() -> list[str]:
    """The fonts in which a letter is looked for, one after the other."""
    font_manager.fontManager.addfont(FONT)
    return ["DejaVu Sans Mono", font_manager.FontProperties(fname=FONT).get_name()]


def from_figure(figure) -> np.ndarray:
    """Draw a `matplotlib.figure.Figure` as uint8 [H, W, 3], without a screen."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
