"""How `make site` turns these pages into a site: Sphinx, with MyST reading the Markdown."""

from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.highlighting import lexers

PROGRAM = Path(__file__).parents[1] / "duoproxy" / "__init__.py"

project = "duoproxy"
release = version = PROGRAM.read_text().split('__version__ = "')[1].split('"')[0]
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
root_doc = "index"
html_theme = "alabaster"
html_title = f"duoproxy {version}"
html_theme_options = {
    "description": "A second factor in front of RADIUS and LDAP logins",
    "fixed_sidebar": True,
    "page_width": "70em",
}
# Headings that other pages link to.
myst_heading_anchors = 4
lexers["log"] = TextLexer()
