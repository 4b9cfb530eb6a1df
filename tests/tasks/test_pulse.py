"""The sign of life in a file."""

import asyncio
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ctiscraper.errors import SettingsError
from ctiscraper.tasks.pulse import Pulse


def test_a_beat_is_as_old_as_it_is(tmp_path: Path) -> None:
    pulse = Pulse(tmp_path / "pulse")
    assert pulse.age() is None
    pulse.beat()
    age = pulse.age()
    assert age is not None
    assert 0 <= age < 5
    assert (tmp_path / "pulse").stat().st_mode & 0o777 == 0o600


def test_without_a_file_nothing_is_written(tmp_path: Path) -> None:
    Pulse(None).beat()
    assert Pulse(None).age() is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "soon", "1.5"])
def test_what_is_no_pulse_counts_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "pulse").write_text(content, "ascii")
    assert Pulse(tmp_path / "pulse").age() is None


def test_a_pulse_of_before_the_last_start_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "pulse").write_text(f"{time.monotonic_ns() + 10**12}\n", "ascii")
    assert Pulse(tmp_path / "pulse").age() is None


def test_a_link_of_somebody_else_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "pulse").symlink_to(tmp_path / "precious")
    with pytest.raises(SettingsError, match="CTISCRAPER_PULSE_FILE cannot be written"):
        Pulse(tmp_path / "pulse").beat()
    assert not (tmp_path / "precious").exists()


def test_a_file_that_cannot_be_written_for_a_while_is_told_once_and_tried_again(
    tmp_path: Path,
) -> None:
    file = tmp_path / "pulse"
    pulse = Pulse(file)
    for _ in range(2):
        pulse.beat()
        file.unlink()
        file.mkdir()
        with capture_logs() as logged:
            pulse.beat()
            pulse.beat()
        [line] = logged
        assert (line["event"], line["log_level"]) == ("pulse_not_written", "error")
        assert "Is a directory" in line["detail"]
        file.rmdir()
    pulse.beat()
    assert pulse.age() is not None


@pytest.mark.parametrize("well", [True, False])
async def test_it_is_kept_only_while_all_is_well(tmp_path: Path, well: bool) -> None:
    asked = asyncio.Event()

    def is_well() -> bool:
        asked.set()
        return well

    keeping = asyncio.create_task(Pulse(tmp_path / "pulse").keep(is_well))
    await asked.wait()
    keeping.cancel()
    assert (tmp_path / "pulse").exists() is well
