"""What `make docs` writes stands in the tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from duoproxy.tools.generate import generated_files, main

ROOT = Path(__file__).parents[3]
GENERATED = generated_files()


@pytest.mark.parametrize("path", GENERATED, ids=str)
def test_a_generated_file_of_the_tree_is_what_would_be_written(path: Path) -> None:
    """Whoever changes an option runs `make docs`."""
    assert (ROOT / path).read_text(encoding="utf-8") == GENERATED[path], "run `make docs` and commit what it writes"


def test_no_page_of_a_section_that_is_gone_stays_behind() -> None:
    """docs/reference/sections holds the pages of the sections that there are, and nothing else."""
    pages = {path.relative_to(ROOT) for path in (ROOT / "docs/reference/sections").iterdir()}
    assert pages == {path for path in GENERATED if path.parent.name == "sections"}


def test_the_command_writes_below_the_folder_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`python -m duoproxy.tools.generate FOLDER` makes the folders that it needs, and lists what it wrote."""
    monkeypatch.setattr("sys.argv", ["generate", str(tmp_path)])
    main()
    assert capsys.readouterr().out.split() == [str(path) for path in GENERATED]
    assert {path: (tmp_path / path).read_text(encoding="utf-8") for path in GENERATED} == GENERATED
