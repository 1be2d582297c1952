"""Arrays into pictures a person can look at."""

import functools
import math
from collections.abc import Callable, Sequence
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


def captioned(images: np.ndarray, captions: Sequence[str], columns: int, width: int = 20) -> np.ndarray:
    """Lay images out in rows, each with its caption at the left.

    Args:
        images: uint8 [len(captions) * columns, H, W, C], a row after the other.
        captions: of the rows; what is longer than the room is cut off with an ellipsis.
        columns: images in a row.
        width: the room for captions, in Chinese characters, as in `text`.

    Returns:
        uint8 [height, width, 3].
    """
    rows = []
    for index, caption in enumerate(captions):
        each = 1 if any(ord(letter) > 0x2E80 for letter in caption) else 0.61
        room = int(width / each)
        shown = caption if len(caption) <= room else caption[: room - 1] + "…"
        label, row = text([shown], width), grid(images[index * columns : (index + 1) * columns], columns)
        over = max(0, row.shape[0] - label.shape[0])
        label = np.pad(label, [(over // 2, over - over // 2), (0, 0), (0, 0)], constant_values=255)
        rows.append(beside(label, row, gap=0))
    return np.concatenate(rows)


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


def landscape(real: np.ndarray, fakes: dict[str, np.ndarray], score: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Draw real points (blue) and generated ones over a discriminator's scores (the darker the higher).

    Args:
        real: points [N, 2].
        fakes: name -> points [M, 2], each in a colour of its own, orange first.
        score: float32 points [K, 2] -> scores [K].

    Returns:
        uint8 [500, 500, 3].
    """
    reach = 1.25 * np.abs(real).max()
    axis = np.linspace(-reach, reach, 120, dtype=np.float32)
    plane = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    scores = score(plane).reshape(len(axis), len(axis))

    figure = Figure(figsize=(5, 5), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    low, high = np.percentile(scores, [2, 98])
    axes.contourf(axis, axis, scores, levels=np.linspace(low, max(high, low + 1e-6), 24), cmap="Greys", extend="both")
    axes.scatter(*real.T, s=5, color="tab:blue", alpha=0.5, linewidths=0, label="real")
    for index, (name, points) in enumerate(fakes.items()):
        axes.scatter(*points.T, s=5, color=f"C{1 + index}", alpha=0.8, linewidths=0, label=name)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[])
    axes.legend(loc="upper right", markerscale=3, framealpha=0.9)
    return from_figure(figure)


def words(pixels: np.ndarray, texts: list[str], found: dict[str, list[str]]) -> np.ndarray:
    """Draw handwritten words, a row each, with what was written and what each reader took it for (errors in red).

    Args:
        pixels: [N, T, height, width], 1 ink and 0 paper; letters beyond a word's end are not drawn.
        texts: the N words.
        found: reader -> N words of the same lengths.

    Returns:
        uint8 [H, W, 3].
    """
    rows, longest = len(texts), max(map(len, texts))
    figure = Figure(figsize=(0.3 * longest + 1.8 * (1 + len(found)), 0.52 * rows + 0.4), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    height, width = pixels.shape[2:]
    columns = {"written": longest * width + 8} | {
        name: longest * width + 8 + 50 * (1 + place) for place, name in enumerate(found)
    }
    for row, text in enumerate(texts):
        top = row * (height + 4)
        ink = 1.0 - np.concatenate(list(pixels[row, : len(text)]), axis=1)
        axes.imshow(ink, cmap="gray", vmin=0, vmax=1, extent=(0, len(text) * width, top + height, top))
        for name, left in columns.items():
            for place, letter in enumerate(text if name == "written" else found[name][row]):
                axes.text(
                    left + 3.4 * place, top + 0.7 * height, letter, family="monospace", fontsize=11,
                    color="black" if letter == text[place] else "tab:red",
                )  # fmt: skip
    for name, left in columns.items():
        axes.text(left, -4, name, fontsize=10, color="tab:grey")
    axes.set(xlim=(-4, max(columns.values()) + 52), ylim=(rows * (height + 4), -14), aspect="equal")
    axes.axis("off")
    return from_figure(figure)


def from_figure(figure) -> np.ndarray:
    """Draw a `matplotlib.figure.Figure` as uint8 [H, W, 3], without a screen."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
