"""Videos and image strips: evaluation episodes, and what a model imagines beside the truth."""

from __future__ import annotations

import io
import os
import pathlib
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from pipelines.system import files

_MARK = (220, 40, 40)
_GAIN = (40, 160, 60)
_BAR = 2  # Pixels of a reward's mark, before scaling.
_GAP = 2  # Pixels between panels, before scaling.
_GRAY = 96


def write_gif(
    path: str | os.PathLike[str], frames: np.ndarray, fps: float = 20.0, scale: int = 2
) -> None:
    """Writes an endlessly looping GIF.

    Args:
      path: the file; it appears whole or not at all.
      frames: uint8 `[T, H, W, 3]`, T at least 1.
      fps: frames a second. A GIF counts hundredths of a second, and browsers slow down those that
        ask for less than two, so at most 50.
      scale: enlarges each pixel to scale x scale.

    Raises:
      ValueError: frames of another shape or type.
      UserError: the disk does not take it.
    """
    frames = _enlarged(_checked(frames), scale)
    palette = _shared_palette(frames)
    images = [
        Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE)
        for frame in frames
    ]
    buffer = io.BytesIO()
    duration_ms = 10 * max(2, round(100 / fps))
    options = {"append_images": images[1:], "duration": duration_ms, "loop": 0}
    images[0].save(buffer, format="GIF", save_all=True, optimize=False, **options)
    _write(path, buffer.getvalue())


def side_by_side(videos: Sequence[np.ndarray]) -> np.ndarray:
    """Joins videos `[T, H, W, 3]` of one height from left to right; the shorter hold their end."""
    videos = [_checked(video) for video in videos]
    if len({video.shape[1] for video in videos}) != 1:
        raise ValueError(f"videos of one height are wanted, got {[v.shape for v in videos]}")
    length = max(len(video) for video in videos)
    panels = []
    for video in videos:
        if panels:
            panels.append(np.full((length, video.shape[1], _GAP, 3), _GRAY, np.uint8))
        panels.append(np.concatenate([video, np.repeat(video[-1:], length - len(video), axis=0)]))
    return np.concatenate(panels, axis=2)


def as_rgb(frames: np.ndarray) -> np.ndarray:
    """Frames `[T, H, W, C]` of any channels as `[T, H, W, 3]`: the first three, or grey."""
    return frames[..., :3] if frames.shape[-1] >= 3 else frames[..., :1].repeat(3, axis=-1)


def error_frames(truth: np.ndarray, model: np.ndarray) -> np.ndarray:
    """Returns where `model` differs: mid grey where equal, lighter or darker where it is off."""
    difference = model.astype(np.int16) - truth.astype(np.int16)
    return (128 + difference // 2).astype(np.uint8)


def image_strip(rows: Sequence[np.ndarray], context: int, max_columns: int = 12) -> np.ndarray:
    """Lays videos out as rows of one picture, time from left to right.

    Args:
      rows: uint8 `[T, H, W, 3]` each, all alike: truth, model, error.
      context: frames that the model saw; a red line stands where it ends and imagination begins.
      max_columns: time steps shown, spread evenly; the last of the context and the first imagined
        one are always among them.

    Returns:
      uint8 `[height, width, 3]`.
    """
    rows = [_checked(row) for row in rows]
    if len({row.shape for row in rows}) != 1:
        raise ValueError(f"rows of one shape are wanted, got {[row.shape for row in rows]}")
    length, height, width, _ = rows[0].shape
    columns = _chosen_steps(length, context, max_columns)
    full_height = len(rows) * (height + _GAP) - _GAP
    picture = np.full((full_height, len(columns) * (width + _GAP) - _GAP, 3), 255, np.uint8)
    for i, row in enumerate(rows):
        for j, step in enumerate(columns):
            top, left = i * (height + _GAP), j * (width + _GAP)
            picture[top : top + height, left : left + width] = row[step]
    seen = sum(step < context for step in columns)
    if 0 < seen < len(columns):
        left = seen * (width + _GAP) - _GAP
        picture[:, left : left + _GAP] = _MARK
    return picture


def write_png(path: str | os.PathLike[str], picture: np.ndarray, scale: int = 1) -> None:
    """Writes uint8 `[height, width, 3]` as a PNG, whole or not at all."""
    buffer = io.BytesIO()
    Image.fromarray(_enlarged(_checked(picture[np.newaxis]), scale)[0]).save(buffer, format="PNG")
    _write(path, buffer.getvalue())


def with_rewards(frames: np.ndarray, rewards: np.ndarray | None) -> np.ndarray:
    """Puts a bar above each frame: green where a reward came with it, red where a loss, else white.

    Args:
      frames: uint8 `[T, H, W, 3]`.
      rewards: `[T]`; None: the bars are white.

    Returns:
      uint8 `[T, H + 3, W, 3]`.
    """
    bars = np.full((len(frames), _BAR + 1, *frames.shape[2:]), 255, np.uint8)
    if rewards is not None:
        bars[rewards > 0, :_BAR] = _GAIN
        bars[rewards < 0, :_BAR] = _MARK
    return np.concatenate([bars, _checked(frames)], axis=1)


def open_loop_video(
    rows: Sequence[np.ndarray],
    context: int,
    path_prefix: str | os.PathLike[str],
    fps: float = 20.0,
    scale: int = 2,
) -> tuple[pathlib.Path, pathlib.Path]:
    """Writes `<prefix>.png`, a strip, and `<prefix>.gif`: truth, model and error over time.

    Args:
      rows: uint8 `[T, H, W, 3]` each: what happened; one or more times what the model made of it,
        reconstructions of the first `context` frames, then frames imagined from the actions alone;
        where the first of these is off (`error_frames`).
      context: number of frames that the model saw.
      path_prefix: the files' path without suffix.
      fps: of the GIF.
      scale: enlarges each pixel in both files.

    Returns:
      The paths of the strip and of the GIF. A red frame in the GIF marks imagination.
    """
    prefix = pathlib.Path(path_prefix)
    strip, gif = prefix.with_name(f"{prefix.name}.png"), prefix.with_name(f"{prefix.name}.gif")
    write_png(strip, image_strip(rows, context), scale)
    truth, *imagined, error = map(_checked, rows)
    imagined = [_framed(row, context) for row in imagined]
    write_gif(gif, side_by_side([truth, *imagined, error]), fps, scale)
    return strip, gif


def _chosen_steps(length: int, context: int, max_columns: int) -> list[int]:
    """Picks time steps: a share of the columns for the context as large as its share of time."""
    if length <= max_columns:
        return list(range(length))
    if not 0 < context < length:
        return _spread(0, length, max_columns)
    seen = min(max(1, round(max_columns * context / length)), max_columns - 1)
    before = [context - 1 - step for step in _spread(0, context, seen)][::-1]
    return before + _spread(context, length, max_columns - seen)


def _spread(first: int, end: int, count: int) -> list[int]:
    """Returns up to `count` steps from `first` to below `end`, evenly, `first` among them."""
    return sorted({first + i * (end - first) // count for i in range(count)})


def _framed(video: np.ndarray, start: int) -> np.ndarray:
    framed = []
    for step, frame in enumerate(video):
        image = Image.fromarray(frame)
        if step >= start:
            box = (0, 0, image.width - 1, image.height - 1)
            ImageDraw.Draw(image).rectangle(box, outline=_MARK)
        framed.append(np.asarray(image))
    return np.stack(framed)


def _shared_palette(frames: np.ndarray) -> Image.Image:
    """Makes one palette for the whole video from a sample of its frames: colours do not flicker."""
    sample = frames[:: max(1, len(frames) // 16)]
    strip = Image.fromarray(np.concatenate(list(sample), axis=0))
    return strip.quantize(256, method=Image.Quantize.MEDIANCUT)


def _checked(frames: np.ndarray) -> np.ndarray:
    frames = np.asarray(frames)
    shape_fits = frames.ndim == 4 and frames.shape[-1] == 3 and min(frames.shape) > 0
    if not shape_fits or frames.dtype != np.uint8:
        raise ValueError(
            f"frames are {frames.dtype} {list(frames.shape)}; expected uint8 [T, H, W, 3]"
        )
    return frames


def _enlarged(frames: np.ndarray, scale: int) -> np.ndarray:
    if scale < 1:
        raise ValueError(f"scale is {scale}; expected at least 1")
    return frames.repeat(scale, axis=1).repeat(scale, axis=2)


def _write(path: str | os.PathLike[str], data: bytes) -> None:
    with files.writing(path):
        pathlib.Path(path).parent.mkdir(exist_ok=True)  # Not its parents: they may be gone.
        files.atomic_write(path, data)
