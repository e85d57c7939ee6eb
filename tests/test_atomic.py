"""Files and folders appear whole or not at all."""

from pathlib import Path

import pytest

from stance.atomic import whole_file, whole_folder
from stance.errors import ConfigError


def test_atomic_file_appears_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.txt"
    with whole_file(path) as draft:
        draft.write_text("new")
        assert not path.exists()
        assert draft.suffix == path.suffix
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_atomic_file_keeps_the_old_one_on_an_error(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "c.txt"
    path.write_text("old")
    with pytest.raises(error), whole_file(path) as draft:
        draft.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_atomic_folder_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    path.mkdir()
    (path / "old").touch()
    with whole_folder(path, "old") as draft:
        (draft / "new").touch()
        assert (path / "old").exists()
    assert [file.name for file in path.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_atomic_folder_keeps_the_old_one_on_an_error(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "bundle"
    path.mkdir()
    (path / "old").touch()
    with pytest.raises(error), whole_folder(path, "old") as draft:
        (draft / "new").touch()
        raise error
    assert [file.name for file in path.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [path]


def test_atomic_folder_puts_the_old_one_back_if_the_move_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bundle"
    path.mkdir()
    (path / "old").touch()
    move = Path.rename

    def fail_for_drafts(self: Path, target: Path) -> Path:
        if (self / "new").exists():
            raise OSError("disk full")
        return move(self, target)

    monkeypatch.setattr(Path, "rename", fail_for_drafts)
    with pytest.raises(OSError, match="disk full"), whole_folder(path, "old") as draft:
        (draft / "new").touch()
    assert [file.name for file in path.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [path]


def test_atomic_results_are_readable_as_any_other(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    with whole_file(tmp_path / "c.txt") as draft:
        draft.touch()
    assert (tmp_path / "c.txt").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_atomic_folder_that_holds_other_things_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "documents"
    path.mkdir()
    (path / "thesis.txt").touch()
    said = pytest.raises(ConfigError, match=r"holds other things and is left alone; expected .* manifest\.json")
    with said, whole_folder(path, "manifest.json"):
        pytest.fail("nothing is to be written")
    assert (path / "thesis.txt").exists()


def test_atomic_folder_survives_an_interruption_of_the_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bundle"
    path.mkdir()
    (path / "old").touch()
    move = Path.rename

    def interrupt_for_drafts(self: Path, target: Path) -> Path:
        if (self / "new").exists():
            raise KeyboardInterrupt
        return move(self, target)

    monkeypatch.setattr(Path, "rename", interrupt_for_drafts)
    with pytest.raises(KeyboardInterrupt), whole_folder(path, "old") as draft:
        (draft / "new").touch()
    assert [file.name for file in path.iterdir()] == ["old"]
