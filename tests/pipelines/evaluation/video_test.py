from __future__ import annotations

import errno
import os

import numpy as np
import pytest
from PIL import Image, ImageSequence

from pipelines.evaluation import video
from pipelines.system.errors import UserError


def _frames(length: int, height: int = 8, width: int = 10) -> np.ndarray:
    """A white bar on blue that moves one column a frame."""
    frames = np.zeros((length, height, width, 3), np.uint8)
    frames[..., 2] = 200
    for t in range(length):
        frames[t, :, t % width] = 255
    return frames


def test_a_gif_shows_every_frame_at_its_pace_and_loops(tmp_path):
    frames = _frames(7)
    video.write_gif(tmp_path / "a.gif", frames, fps=20, scale=3)
    with Image.open(tmp_path / "a.gif") as gif:
        assert (gif.n_frames, gif.size, gif.info["loop"]) == (7, (30, 24), 0)
        for frame, image in zip(frames, ImageSequence.Iterator(gif), strict=True):
            assert image.info["duration"] == 50
            shown = np.asarray(image.convert("RGB"))[1::3, 1::3]
            np.testing.assert_allclose(shown.astype(int), frame, atol=2)


def test_a_gif_keeps_equal_frames_in_a_row_for_their_time(tmp_path):
    video.write_gif(tmp_path / "a.gif", np.repeat(_frames(2), 5, axis=0), fps=50)
    with Image.open(tmp_path / "a.gif") as gif:
        shown = sum(image.info["duration"] for image in ImageSequence.Iterator(gif))
    assert shown == 10 * 20


def test_colours_of_smooth_frames_come_close(tmp_path):
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    frame = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None, :], np.uint8(90)), axis=-1)
    video.write_gif(tmp_path / "a.gif", frame[np.newaxis], scale=1)
    shown = np.asarray(Image.open(tmp_path / "a.gif").convert("RGB")).astype(int)
    assert np.abs(shown - frame).mean() < 6


def test_frames_of_any_channels_can_be_shown():
    frames = np.random.RandomState(0).randint(0, 256, [2, 4, 4, 4]).astype(np.uint8)
    np.testing.assert_array_equal(video.as_rgb(frames), frames[..., :3])
    np.testing.assert_array_equal(video.as_rgb(frames[..., :3]), frames[..., :3])
    for channels in (1, 2):
        grey = video.as_rgb(frames[..., :channels])
        np.testing.assert_array_equal(grey, np.stack([frames[..., 0]] * 3, axis=-1))


def test_videos_stand_side_by_side_and_the_shorter_holds_its_end():
    joined = video.side_by_side([_frames(5), _frames(3, width=4)])
    assert joined.shape == (5, 8, 16, 3)
    np.testing.assert_array_equal(joined[:, :, :10], _frames(5))
    np.testing.assert_array_equal(joined[4, :, 12:], _frames(3, width=4)[2])


def test_the_strip_shows_rows_over_time_and_a_mark_where_imagination_begins():
    truth, model = _frames(6), 255 - _frames(6)
    strip = video.image_strip([truth, model], context=2)
    assert strip.shape == (18, 70, 3)
    for step in range(6):
        left = 12 * step
        np.testing.assert_array_equal(strip[:8, left : left + 10], truth[step])
        np.testing.assert_array_equal(strip[10:, left : left + 10], model[step])
    mark = (strip == (220, 40, 40)).all(axis=(0, 2))
    np.testing.assert_array_equal(np.flatnonzero(mark), [22, 23])


@pytest.mark.parametrize(("length", "context"), [(50, 5), (50, 45), (13, 1), (100, 50), (12, 3)])
def test_a_long_strip_keeps_the_frames_on_both_sides_of_the_mark(length, context):
    numbered = np.zeros((length, 1, 1, 3), np.uint8) + np.arange(length)[:, None, None, None]
    strip = video.image_strip([numbered.astype(np.uint8)], context, max_columns=12)
    shown = strip[0, ::3, 0]
    assert len(shown) <= 12 and (np.diff(shown.astype(int)) > 0).all()
    assert {context - 1, context} <= set(shown.tolist())


def test_equal_frames_have_a_grey_error_and_others_show_the_sign():
    truth = np.full((1, 1, 3, 3), 100, np.uint8)
    model = truth.copy()
    model[0, 0, 1], model[0, 0, 2] = 200, 0
    np.testing.assert_array_equal(video.error_frames(truth, model)[0, 0, :, 0], [128, 178, 78])


def test_open_loop_files_stand_beside_each_other_and_frame_the_imagined_steps(tmp_path):
    truth = _frames(9)
    rows = [truth, truth, truth, video.error_frames(truth, truth)]
    strip, gif = video.open_loop_video(rows, 4, tmp_path / "videos" / "open_loop_000100")
    assert (strip.name, gif.name) == ("open_loop_000100.png", "open_loop_000100.gif")
    assert sorted(p.name for p in strip.parent.iterdir()) == [gif.name, strip.name]
    with Image.open(gif) as images:
        corners = [
            image.convert("RGB").getpixel((2 * 12, 0)) for image in ImageSequence.Iterator(images)
        ]
    red = [r > 150 and b < 100 for r, _, b in corners]
    assert red == [False] * 4 + [True] * 5


def test_rewards_are_marked_above_the_frames_that_came_with_them():
    truth = _frames(3)
    marked = video.with_rewards(truth, np.array([0.0, 1.0, -2.0]))
    height = truth.shape[1]
    np.testing.assert_array_equal(marked[:, -height:], truth)
    bars = marked[:, 0, 0].astype(int)
    assert list(bars[0]) == [255] * 3
    assert bars[1][1] > bars[1][0] and bars[2][0] > bars[2][1]
    assert np.all(video.with_rewards(truth, None)[:, :-height] == 255)


@pytest.mark.parametrize(
    "frames", [np.zeros((3, 8, 8), np.uint8), np.zeros((3, 8, 8, 3)), np.zeros((0, 8, 8, 3), "u1")]
)
def test_other_shapes_and_types_are_named(tmp_path, frames):
    with pytest.raises(ValueError, match=r"expected uint8 \[T, H, W, 3\]$"):
        video.write_gif(tmp_path / "a.gif", frames)


def test_a_full_disk_is_one_line_and_leaves_the_old_video(tmp_path, monkeypatch):
    path = tmp_path / "a.gif"
    video.write_gif(path, _frames(3))
    before = path.read_bytes()

    def fail(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(UserError, match=rf"^cannot write {path}: No space left on device$"):
        video.write_gif(path, _frames(5))
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["a.gif"]
