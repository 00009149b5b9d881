import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from manylabel.data.images import DamagedImage, read_image, to_array
from manylabel.encoders import cache, store
from manylabel.encoders.cache import encode
from manylabel.labels import ManylabelError
from pictures import draw
from tiny import SEEN, tiny


@pytest.fixture(autouse=True)
def every_row_counts(monkeypatch):
    """Journal every row at once and start counting images anew."""
    monkeypatch.setattr(store, "ROWS_PER_SYNC", 1)
    SEEN.clear()


def run(files, folder, encoder=None, **options):
    """Encode, and how many images the network saw (less the one that tells its shape in a new folder)."""
    before, new = sum(SEEN), not Path(folder).exists()
    cached = encode(files, encoder or tiny(), folder=folder, progress=False, batch_size=2, **options)
    return cached, sum(SEEN) - before - new


def directly(files, encoder=None):
    encoder = encoder or tiny()
    images = np.stack([to_array(read_image(f), encoder.image_size) for f in files])
    with torch.no_grad():
        return encoder(torch.from_numpy(images).permute(0, 3, 1, 2))


def assert_right(cached, files, encoder=None):
    features = directly(files, encoder)
    rows = np.arange(len(files))[::-1]
    np.testing.assert_allclose(cached.grid(rows), features.grid[rows.copy()], atol=0.05, rtol=1e-3)
    np.testing.assert_allclose(cached.pooled(rows), features.pooled[rows.copy()], atol=0.05, rtol=1e-3)


def test_features_are_those_of_the_encoder_in_the_callers_order(tmp_path):
    files = draw(tmp_path, 7)
    cached, seen = run(files, tmp_path / "cache")
    assert (len(cached), cached.size, cached.width, seen, cached.found) == (7, (2, 2), 4, 7, 0)
    assert cached.ok.all()
    assert cached.grid([3]).dtype == np.float32
    assert_right(cached, files)
    np.testing.assert_array_equal(cached.pooled(np.arange(7) == 2), cached.pooled([2]))
    assert cached.pooled([]).shape == (0, 4)
    assert cached.grid([]).shape == (0, 4, 4)


def test_an_image_is_computed_once_whatever_its_name_order_or_data_set(tmp_path):
    files = draw(tmp_path, 4)
    twin = Path(shutil.copy(files[1], tmp_path / "twin.png"))
    assert run([*files, twin], tmp_path / "cache")[1] == 4
    other = draw(tmp_path, 2, seed=9)
    mixed = [other[0], files[3], twin, other[1], files[0]]
    cached, seen = run(mixed, tmp_path / "cache")
    assert (seen, cached.found) == (2, 3)
    assert_right(cached, mixed)
    assert run(mixed, tmp_path / "cache")[1] == 0


def test_weights_size_and_precision_keep_apart(tmp_path):
    files = draw(tmp_path, 2)
    run(files, tmp_path / "cache")
    other, _ = run(files, tmp_path / "cache", tiny(factor=2.0))
    np.testing.assert_allclose(other.grid([0]), 2 * directly(files).grid[:1], atol=0.1, rtol=1e-3)
    low, seen = run(files, tmp_path / "cache", precision="bfloat16")
    assert seen >= 2
    assert not np.array_equal(low.grid([0]), run(files, tmp_path / "cache")[0].grid([0]))


def test_damaged_images_are_reported_with_their_row_and_never_served(tmp_path):
    files = draw(tmp_path, 3)
    empty, cut, missing = tmp_path / "empty.png", tmp_path / "cut.png", tmp_path / "missing.png"
    empty.touch()
    cut.write_bytes(files[0].read_bytes()[:400])
    rows = [files[0], empty, files[1], cut, missing, cut, files[2]]
    cached, _ = run(rows, tmp_path / "cache")
    assert cached.ok.tolist() == [True, False, True, False, False, False, True]
    assert sorted(cached.errors) == [1, 3, 4, 5]
    assert "empty.png" in cached.errors[1]
    assert "cut.png" in cached.errors[3]
    assert "missing.png" in cached.errors[4]
    assert_right_rows(cached, rows, [0, 2, 6])
    with pytest.raises(ManylabelError, match=r"row 3 has no features: .*cut\.png"):
        cached.grid([0, 3])


def assert_right_rows(cached, files, rows):
    features = directly([files[r] for r in rows])
    np.testing.assert_allclose(cached.grid(rows), features.grid, atol=0.05, rtol=1e-3)


def test_a_file_that_changed_after_it_was_hashed_is_not_stored_under_the_old_hash(tmp_path):
    file = draw(tmp_path, 1)[0]
    old, _ = cache.hash_file(file)
    Image.new("RGB", (9, 9)).save(file)
    with pytest.raises(DamagedImage, match="changed"):
        cache.Runner(tiny(), "float32").image(file, old)


def test_a_killed_run_goes_on_where_it_stopped(tmp_path):
    files, folder = draw(tmp_path, 20), tmp_path / "cache"
    command = [sys.executable, str(Path(__file__).with_name("tiny.py")), str(tmp_path), str(folder)]
    process = subprocess.Popen(command)
    while not any(b"\n" in p.read_bytes() for p in folder.glob("*/*.rows")):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    cached, seen = run(sorted(files), folder)
    assert cached.found + seen == 20
    assert 1 <= cached.found <= 19
    assert_right(cached, sorted(files))


@pytest.mark.parametrize("damage", ["grid", "pooled", "rows"])
def test_half_written_rows_are_not_served(tmp_path, damage):
    files, folder = draw(tmp_path, 5), tmp_path / "cache"
    run(files, folder)
    file = next(folder.glob(f"*/*.{damage}"))
    data = file.read_bytes()
    if damage == "rows":
        data = data[: data.rindex(b"\n")]
    file.write_bytes(data[:-3])
    cached, seen = run(files, folder)
    assert (cached.found, seen) == (4, 1)
    assert_right(cached, files)


def test_a_full_disk_names_folder_need_and_room_and_keeps_finished_rows(tmp_path, monkeypatch):
    files, folder = draw(tmp_path, 8), tmp_path / "cache"
    run(files[:1], folder, tiny(image_size=32))
    row = 2 * 16 * 4
    monkeypatch.setattr(store, "SHARD_ROWS", 8)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5 * row + 3, hard))  # the grid file ends within its sixth row
    try:
        with pytest.raises(
            ManylabelError, match=r"no space .*cache.* 3 more images need .* MB are free.*MANYLABEL_CACHE"
        ):
            run(files, folder, tiny(image_size=32))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    cached, seen = run(files, folder, tiny(image_size=32))
    assert (cached.found, seen) == (5, 3)
    assert_right(cached, files, tiny(image_size=32))


def test_a_disk_that_takes_nothing_more_still_keeps_finished_rows(tmp_path, monkeypatch):
    """Not even a journal line: what is finished must be on record without needing room."""
    files, folder, room = draw(tmp_path, 6), tmp_path / "cache", [400]
    real = os.write

    def write(file, data):
        grown = max(0, os.lseek(file, 0, os.SEEK_CUR) + len(data) - os.fstat(file).st_size)
        if grown > room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        room[0] -= grown
        return real(file, data)

    monkeypatch.setattr(store, "SHARD_ROWS", 6)
    monkeypatch.setattr(store, "ROWS_PER_SYNC", 1000)
    with monkeypatch.context() as patch:
        patch.setattr(store.os, "write", write)
        with pytest.raises(ManylabelError, match="2 more images"):
            run(files, folder)
    cached, seen = run(files, folder)
    assert (cached.found, seen) == (4, 2)
    assert_right(cached, files)


def test_no_room_is_said_before_the_work_starts(tmp_path, monkeypatch):
    files = draw(tmp_path, 3)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(store.shutil, "disk_usage", lambda _: usage(0, 0, 100))
    with pytest.raises(ManylabelError, match="3 more images"):
        run(files, tmp_path / "cache")
    assert sum(SEEN) == 1


def test_two_writers_at_once_do_not_mix(tmp_path):
    shape = store.Shape((1, 1), 2)
    store.write_shape(tmp_path, shape, {})
    shared = store.Store(tmp_path, shape)
    writers = [store.Writer(shared), store.Writer(shared)]
    for i in range(6):
        rows = torch.full((1, 1, 2), float(i), dtype=torch.float16)
        writers[i % 2].append([f"{i:032x}"], rows, rows[:, 0])
    for writer in writers:
        writer.close()
    shared.refresh()
    gathered = shared.rows([f"{i:032x}" for i in range(6)]).gather("grid", np.arange(6))
    np.testing.assert_array_equal(gathered[:, 0, 0], np.arange(6))


@pytest.mark.parametrize("factor", [1e6, float("nan")])
def test_features_beyond_float16_are_an_error_that_names_the_image(tmp_path, factor):
    files = draw(tmp_path, 1)
    with pytest.raises(ManylabelError, match=r"0-0\.png, beyond what the float16 cache holds"):
        run(files, tmp_path / "cache", tiny(factor))


def test_ctrl_c_keeps_what_is_done(tmp_path, monkeypatch):
    files, folder = draw(tmp_path, 6), tmp_path / "cache"

    @contextmanager
    def interrupted(what, total, shown):
        counts = iter(range(total))

        def advance(count, note):
            if what == "encoding" and next(counts) == 1:  # after the second batch of two
                raise KeyboardInterrupt

        yield advance

    monkeypatch.setattr(store, "ROWS_PER_SYNC", 1000)
    monkeypatch.setattr(cache.bars, "bar", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(files, folder)
    monkeypatch.undo()
    assert run(files, folder)[0].found == 4


def test_threads_are_given_back(tmp_path):
    """A thread started later has its own idea of the number of torch's threads."""
    torch.set_num_threads(2)
    try:
        run(draw(tmp_path, 3), tmp_path / "cache")
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(torch.get_num_threads).result() == torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_folder_comes_from_the_environment_and_must_be_writable(tmp_path, monkeypatch):
    files = draw(tmp_path, 1)
    monkeypatch.setenv("MANYLABEL_CACHE", str(tmp_path / "elsewhere"))
    encode(files, tiny(), progress=False)
    assert list((tmp_path / "elsewhere").glob("tiny-16-*/meta.json"))
    with pytest.raises(ManylabelError, match=r"cannot be written at .*MANYLABEL_CACHE"):
        encode(files, tiny(), folder=files[0], progress=False)
    assert len(encode([], tiny(), progress=False)) == 0


def test_an_encoder_without_a_grid(tmp_path):
    encoder = tiny()
    with_grid = encoder.network.forward
    encoder.network.forward = lambda x: type(with_grid(x))(None, with_grid(x).pooled, (0, 0))
    files = draw(tmp_path, 3)
    cached = encode(files, encoder, folder=tmp_path / "cache", progress=False)
    np.testing.assert_allclose(cached.pooled([1]), directly(files).pooled[1:2], atol=0.05, rtol=1e-3)
    assert cached.size is None
    with pytest.raises(ManylabelError, match="no grid"):
        cached.grid([0])
