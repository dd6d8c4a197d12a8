from __future__ import annotations

import errno
import os
import random
import resource
import signal
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from eie.errors import ResourceError, UsageError
from eie.files import dump, load, save, write_atomically
from eie.files.atomic import check_folder, check_output


def write(target: Path, data: bytes = b"new") -> None:
    with write_atomically(target) as handle:
        handle.write(data)


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """Files cannot grow beyond `size` bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def test_a_new_file_has_the_mode_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write(tmp_path / "a")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_a_replaced_file_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "a").chmod(0o604)
    write(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o604


@pytest.mark.parametrize("target", ["real/a", "../b"])
def test_a_symbolic_link_stays_and_its_file_is_replaced(tmp_path: Path, target: str) -> None:
    (tmp_path / "here" / "real").mkdir(parents=True)
    link = tmp_path / "here" / "link"
    link.symlink_to(target)
    write(link)
    write(link, b"newer")
    assert link.is_symlink()
    assert (tmp_path / "here" / target).read_bytes() == b"newer"


def test_a_circle_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(UsageError, match="cannot be written"):
        write(tmp_path / "a")


def test_devices_and_pipes_are_written_and_not_replaced(tmp_path: Path) -> None:
    write(Path("/dev/null"))
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write(tmp_path / "pipe")
    assert os.read(reader, 100) == b"new"
    os.close(reader)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_names_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    write(tmp_path / ("a" * 255))
    assert (tmp_path / ("a" * 255)).read_bytes() == b"new"


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_an_interrupted_block_leaves_nothing(tmp_path: Path, failure: type) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(failure), write_atomically(tmp_path / "a") as handle:
        handle.write(b"half")
        raise failure
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, make_set) -> None:
    """[E10]"""
    path = tmp_path / "photo.h5"
    save(make_set(), path)
    before = path.read_bytes()
    with disk_of(len(before) // 2), pytest.raises(ResourceError) as caught:
        save(make_set(seed=1), path)
    assert caught.value.exit_code == 5
    assert str(caught.value) == f"{path}: cannot be written: {os.strerror(errno.EFBIG)}"
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_device_is_reported() -> None:
    with pytest.raises(ResourceError, match=os.strerror(errno.ENOSPC)):
        write(Path("/dev/full"))


def test_places_where_nobody_can_write(tmp_path: Path) -> None:
    for place in ("/proc/photo.h5", str(tmp_path / "no" / "photo.h5"), "a\0b"):
        with pytest.raises(UsageError, match="cannot be written"):
            write(Path(place))
    with pytest.raises(UsageError, match="is a folder"):
        write(tmp_path)


@contextmanager
def without_privileges() -> Iterator[None]:
    """As root, who may write anywhere, become somebody else for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_write_protection_is_respected() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        with without_privileges():
            path = Path(folder) / "a"
            path.write_bytes(b"old")
            path.chmod(0o444)
            with pytest.raises(ResourceError, match="write-protected"):
                write(path)
            assert path.read_bytes() == b"old"


def test_killed_at_any_moment_the_file_is_whole(tmp_path: Path, make_set) -> None:
    """[E10] `kill -9` of an edit in place, at many moments."""
    path = tmp_path / "photo.h5"
    sets = [make_set(height=200, width=300, seed=seed) for seed in (0, 1)]
    whole = [dump(elements) for elements in sets]
    path.write_bytes(whole[0])
    started = time.perf_counter()
    save(load(path), path)
    cycle = 3 * (time.perf_counter() - started)
    chance, seen, kills, deadline = random.Random(0), set(), 0, time.monotonic() + 15
    while kills < 60 or seen != {0, 1}:
        progress, report = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                while True:
                    load(path)
                    for elements in reversed(sets):
                        save(elements, path)
                        os.write(report, b".")
            finally:
                os._exit(1)
        os.close(report)
        os.read(progress, 1)
        time.sleep(chance.uniform(0, cycle))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        os.close(progress)
        assert os.WTERMSIG(status) == signal.SIGKILL, "the child failed by itself"
        seen.add(whole.index(path.read_bytes()))
        kills += 1
        if time.monotonic() > deadline:
            break
    assert seen == {0, 1} and kills >= 10
    load(path)


def test_an_open_descriptor_is_written_straight() -> None:
    """`/dev/stdout` of a pipe leads nowhere as a link: its target is no file."""
    reader, writer = os.pipe()
    write(Path(f"/dev/fd/{writer}"))
    os.close(writer)
    assert os.read(reader, 99) == b"new"
    os.close(reader)


def test_a_file_opened_for_appending_is_appended_to(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    descriptor = os.open(tmp_path / "a", os.O_WRONLY | os.O_APPEND)
    write(Path(f"/dev/fd/{descriptor}"))
    os.close(descriptor)
    assert (tmp_path / "a").read_bytes() == b"oldnew"


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EXDEV])
def test_a_mount_point_is_overwritten_in_one_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old and longer")

    def mounted(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "replace", mounted)
    write(target)
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]
    with pytest.raises(ZeroDivisionError), write_atomically(target) as handle:
        handle.write(b"half")
        raise ZeroDivisionError
    assert target.read_bytes() == b"new"


def test_a_folder_that_takes_no_new_files_is_no_hindrance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"old and longer")
    opened = os.open

    def closed(path: object, flags: int, *rest: int) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return opened(path, flags, *rest)

    monkeypatch.setattr("eie.files.atomic.os.open", closed)
    write(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"new"
    with pytest.raises(ResourceError, match="Read-only"):
        write(tmp_path / "b")


def test_without_unix_calls_a_file_is_replaced_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("fchown", "fchmod"):
        monkeypatch.delattr(f"eie.files.atomic.os.{name}")
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "a").chmod(0o604)
    write(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o604


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "is a folder"),
        ("no/a", "No such file"),
        ("file/a", "Not a directory"),
        ("x" * 300, "name too long"),
        ("a\0b", "null"),
    ],
)
def test_what_cannot_be_written_is_found_out_before(
    tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match=message):
        check_output(tmp_path / name)
    for fine in ("file", "new", os.fsdecode(b"caf\xe9")):
        check_output(tmp_path / fine)
    check_output(Path(os.devnull))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_terminal_is_refused_before() -> None:
    _, terminal = os.openpty()
    for name in (os.ttyname(terminal), f"/dev/fd/{terminal}"):
        with pytest.raises(UsageError, match="terminal"):
            check_output(Path(name))
    os.close(terminal)


def test_a_folder_for_results_is_looked_at_before(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for fine in ("", "new", "a/b/c"):
        check_folder(tmp_path / fine)
    for name in ("file", "file/a/b"):
        with pytest.raises(UsageError, match=r"not a folder|Not a directory"):
            check_folder(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
