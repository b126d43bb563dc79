"""The key is found where the settings say, and is never shown."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from auditlens.errors import UsageError
from auditlens.settings import Settings, UntrustedError, find_key, load_settings


def printing(text: str, code: int = 0) -> tuple[str, ...]:
    return (sys.executable, "-c", f"import sys; print({text!r}); sys.exit({code})")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text("f1le-key\n")
    path.chmod(0o600)
    return path


def test_environment_command_and_file_in_this_order(file):
    """And each says where it is."""
    settings = Settings(key_file=file, key_command=printing("c0mmand-key\nsecond line"))
    here = {"SECODA_API_KEY": "env-key"}
    assert find_key(settings, here)[0] == "env-key"
    assert find_key(settings, {}) == ("c0mmand-key", "from the command key_command")
    assert find_key(Settings(key_file=file), {}) == ("f1le-key", "from the file key")
    assert find_key(Settings(), {}) == ("", "")


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_file_that_others_may_read_is_refused(file, mode):
    """With the command that puts it right."""
    file.chmod(mode)
    with pytest.raises(UsageError, match=r"can be read by others\. Run 'chmod 600") as told:
        find_key(Settings(key_file=file), {})
    assert "f1le" not in str(told.value)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (printing("c0mmand-key", 3), "ended with 3"),
        (printing(""), "printed nothing"),
        (("/no/such/program",), "No such file"),
    ],
)
def test_a_command_that_fails_is_told_without_what_it_printed(command, told):
    """Its output may be the key."""
    with pytest.raises(UsageError, match=told) as error:
        find_key(Settings(key_command=command), {})
    assert "c0mmand-key" not in str(error.value).replace(command[-1], "")


def test_a_missing_or_empty_file_is_told(tmp_path):
    """By its name."""
    with pytest.raises(UsageError, match="cannot be read"):
        find_key(Settings(key_file=tmp_path / "nowhere"), {})
    (tmp_path / "empty").touch(mode=0o600)
    with pytest.raises(UsageError, match="is empty"):
        find_key(Settings(key_file=tmp_path / "empty"), {})


def test_a_command_of_a_folder_counts_only_when_its_file_is_trusted(tmp_path):
    """A folder that came from elsewhere cannot have anything run; the user's own file can."""
    (tmp_path / "auditlens.toml").write_text('key_command = ["evil"]\n')
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    with pytest.raises(UntrustedError, match=r"key_command \(line 1\)"):
        find_key(load_settings(tmp_path, environ), environ)
    own = tmp_path / "config" / "auditlens" / "auditlens.toml"
    own.parent.mkdir(parents=True)
    (tmp_path / "auditlens.toml").rename(own)
    assert load_settings(tmp_path, environ).key_command
