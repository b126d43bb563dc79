"""Reading opens regular files of a stated size, and nothing else, at once."""

import os
import socket

import pytest

from auditlens.errors import IntegrityError
from auditlens.files import lock, read, read_text


def pipe(path):
    os.mkfifo(path)


def folder(path):
    path.mkdir()


def device(path):
    path.symlink_to("/dev/zero")


def sparse(path):
    with path.open("wb") as stream:
        stream.truncate(200 << 30)


def bound_socket(path):
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    made.close()


@pytest.mark.parametrize("made", [pipe, folder, device, sparse, bound_socket])
def test_what_is_no_regular_file_of_fair_size_is_refused_unread(made, tmp_path, monkeypatch):
    """A pipe, folder, device, socket or 200 GB file in a file's place is one clear error."""
    monkeypatch.chdir(tmp_path)  # a socket's name has to be short
    path = tmp_path / "f"
    made(path if made is not bound_socket else path.relative_to(tmp_path))
    with pytest.raises(IntegrityError, match=str(path)) as told:
        read(path)
    assert told.value.fix


def test_a_link_is_followed_only_where_a_person_named_it(tmp_path):
    """Inside a folder of ours a link is refused; a settings file may be one."""
    (tmp_path / "real").write_text("text")
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(IntegrityError, match="symbolic link"):
        read(tmp_path / "link")
    assert read_text(tmp_path / "link") == "text"


def test_a_file_one_byte_too_large_is_refused(tmp_path):
    """The bound is exact."""
    (tmp_path / "f").write_bytes(b"12345")
    assert read(tmp_path / "f", most=5) == b"12345"
    with pytest.raises(IntegrityError, match="at most 4"):
        read(tmp_path / "f", most=4)


@pytest.mark.parametrize("make", [pipe, folder, device])
def test_a_lock_that_is_no_file_is_refused_at_once(tmp_path, make):
    """A pipe, folder or link in its place neither hangs nor counts as a lock."""
    make(tmp_path / "lock")
    with pytest.raises(IntegrityError), lock(tmp_path):
        pass
