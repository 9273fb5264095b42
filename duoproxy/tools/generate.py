"""`make docs`: write what is generated from the declarations of the options.

Makes conf/authproxy.cfg (the sample), docs/reference/sections/NAME.md, one page a section kind, and
docs/reference/sections.md, the list of them. A test holds the files in the tree against what this would write.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from duoproxy.config.catalogue import Catalogue
from duoproxy.config.render import docs_page, sample
from duoproxy.sections.registry import load_registry


def generated_files() -> Mapping[Path, str]:
    """Make the text of every generated file, by its path from the top of the project; plugins are left out."""
    catalogue = load_registry(found=()).catalogue
    pages = {
        Path("docs/reference/sections") / f"{name}.md": docs_page(schema) for name, schema in catalogue.schemas.items()
    }
    return {
        Path("conf/authproxy.cfg"): sample(catalogue),
        Path("docs/reference/sections.md"): sections_page(catalogue),
        **pages,
    }


def sections_page(catalogue: Catalogue) -> str:
    """Make the page that lists all section kinds, and those of the original that are not served."""
    rows = [f"| [\\[{name}\\]](sections/{name}.md) | {schema.summary} |" for name, schema in catalogue.schemas.items()]
    not_served = {**catalogue.planned, **catalogue.left_out}
    lines = ["# Sections", "", "| section | what it does |", "|---|---|", *rows]
    if not_served:
        lines += ["", "Recognised, and not served here:", "", "| section | what to know |", "|---|---|"]
        lines += [f"| \\[{name}\\] | {sentence} |" for name, sentence in not_served.items()]
    return "\n".join([*lines, ""])


def main() -> None:
    """Write the files below the folder that is named, or below the current one."""
    top = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    for path, text in generated_files().items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(text, encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
