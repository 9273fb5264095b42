"""The pages of docs/ as a site."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    """Every page is in the site's contents, and every link inside leads somewhere."""
    command = [sys.executable, "-m", "sphinx", "-q", "-n", "-W", "--keep-going", "-b", "html"]
    built = subprocess.run(
        [*command, "-d", tmp_path / "doctrees", ROOT / "docs", tmp_path / "site"],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert built.stderr == ""
    assert built.returncode == 0
    for page in (ROOT / "docs").rglob("*.md"):
        made = (tmp_path / "site" / page.relative_to(ROOT / "docs")).with_suffix(".html")
        assert made.is_file(), f"{made} was not made"
