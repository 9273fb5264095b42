"""What docs/ and README.md say can be done as it stands there: configurations, links, commands, options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from duoproxy.config.problems import Problem
from duoproxy.config.validate import Configuration, Reach, check_configuration, load_configuration
from duoproxy.sections.registry import load_registry
from duoproxy.service.options import Options
from duoproxy.tools.authproxyctl import main as authproxyctl
from duoproxy.tools.connectivity import main as connectivity
from duoproxy.tools.explain import main as explain
from duoproxy.tools.foreground import main as foreground
from duoproxy.tools.login import main as duoproxy_login
from duoproxy.tools.passwd import main as passwd
from duoproxy.tools.primary_only import main as primary_only
from duoproxy.tools.support import main as support
from duoproxy.tools.update_sso_enrollment_code import main as update_sso_enrollment_code

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
RECIPES = sorted((ROOT / "conf/recipes").glob("*.cfg"))
CATALOGUE = load_registry(found=()).catalogue

FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
ASSIGNED = re.compile(r"([a-z][a-z0-9_]*?)\s?=\s?\S.*")
SECTION = re.compile(r"\[([a-z_]+?)[0-9]*\]")

# Written with an = in a page, and no option of authproxy.cfg.
NOT_OPTIONS = {"user", "factor", "result", "cause", "duration", "device", "section", "primary", "second_factor"}
NOT_OPTIONS |= {"failmod"}  # a slip, shown as one
NOT_SECTIONS = {"one_password_client", "line_server"}
NOT_SEEN = "was not looked at"
CLEAR_LDAP = "ntlm2 hides the password, but whoever sits between can answer yes to a wrong one"
"""The guide's [ad_client], as it stands there, starts with this warning; the pages that show it speak of it."""
WARNS_OF_CLEAR_LDAP = {"rras-ad", "rras"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def fences(page: Path, language: str) -> list[str]:
    return [block for found, block in FENCE.findall(text_of(page)) if found == language]


def inline_code(page: Path) -> list[str]:
    return INLINE.findall(FENCE.sub("", text_of(page)))


def is_known(problem: Problem, shown_in: Path) -> bool:
    """Whether it is a warning that this page, or recipe, speaks of."""
    return problem.what == CLEAR_LDAP and shown_in.stem in WARNS_OF_CLEAR_LDAP and "warns" in text_of(shown_in)


INI_BLOCKS = [(page, number, block) for page in PAGES for number, block in enumerate(fences(page, "ini"))]


@pytest.mark.parametrize(
    ("page", "number", "block"), INI_BLOCKS, ids=[f"{page.stem}-{number}" for page, number, _ in INI_BLOCKS]
)
def test_a_configuration_in_docs_is_one_that_starts(tmp_path: Path, page: Path, number: int, block: str) -> None:
    """`authproxyctl check --no-files` finds nothing, but for secrets that stand elsewhere."""
    path = tmp_path / "authproxy.cfg"
    path.write_text(block, encoding="utf-8")
    problems = check_configuration(path, CATALOGUE, reach=Reach.NOTHING)
    lines_elsewhere = {problem.line for problem in problems if NOT_SEEN in problem.what}
    assert [str(one) for one in problems if one.line not in lines_elsewhere and not is_known(one, page)] == []


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_a_recipe_starts(recipe: Path) -> None:
    """A recipe has neither errors nor warnings, but for the one that its comments speak of."""
    problems = check_configuration(recipe, CATALOGUE, reach=Reach.NOTHING)
    assert [str(problem) for problem in problems if not is_known(problem, recipe)] == []


def settings_of(path: Path) -> tuple[object, ...]:
    """What a file asks for, wherever its lines stand."""
    loaded: Configuration = load_configuration(path, CATALOGUE, reach=Reach.NOTHING)
    sections = [*loaded.clients, *loaded.servers]
    return (loaded.main, *[(section.name, section.client, section.settings) for section in sections])


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_the_page_of_a_recipe_shows_the_same(tmp_path: Path, recipe: Path) -> None:
    """A how-to that says "this is conf/recipes/…" shows what that file asks for."""
    claim = f"This is [{name_of(recipe)}]"
    pages = [page for page in PAGES if claim in text_of(page)]
    assert len(pages) == 1
    shown, copy = tmp_path / "authproxy.cfg", tmp_path / recipe.name  # in one folder, for names of files in them
    behind = text_of(pages[0]).partition(claim)[2]
    shown.write_text(next(block for found, block in FENCE.findall(behind) if found == "ini"), encoding="utf-8")
    copy.write_text(text_of(recipe), encoding="utf-8")
    assert settings_of(shown) == settings_of(copy)


def slug(heading: str) -> str:
    """The anchor that a forge gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def relative_links() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for target in LINK.findall(FENCE.sub("", text_of(page))):
            if not target.startswith(("http://", "https://")):
                yield page, target


@pytest.mark.parametrize(("page", "target"), list(relative_links()), ids=lambda value: str(value).rsplit("/", 1)[-1])
def test_a_link_leads_to_a_file_and_a_heading(page: Path, target: str) -> None:
    """Every relative link resolves, its anchor too."""
    file, _, anchor = target.partition("#")
    path = (page.parent / file).resolve() if file else page
    assert path.exists(), f"{name_of(page)}: {target}"
    if anchor:
        assert anchor in {slug(heading) for heading in HEADING.findall(text_of(path))}, f"{name_of(page)}: {target}"


def test_every_page_is_reached_from_the_index() -> None:
    """docs/README.md links every page but the generated ones, to which it links by their own list."""
    index = ROOT / "docs/README.md"
    linked = {(index.parent / target.partition("#")[0]).resolve() for page, target in relative_links() if page == index}
    generated = ROOT / "docs/reference/sections"
    pages = {page.resolve() for page in PAGES if generated not in page.parents}
    contents_of_the_site = ROOT / "docs/index.md"
    assert pages - linked <= {index.resolve(), (ROOT / "README.md").resolve(), contents_of_the_site.resolve()}
    assert generated.with_suffix(".md").resolve() in linked


def commands() -> Iterator[tuple[Path, list[str]]]:
    """Each command line that a page shows, split into words; comments and prompts taken off."""
    for page in PAGES:
        blocks = [*fences(page, "sh"), *re.findall(r"^ {4}\S.*$", FENCE.sub("", text_of(page)), re.MULTILINE)]
        lines = [line for block in blocks for line in block.splitlines()] + inline_code(page)
        for line in lines:
            try:
                words = shlex.split(line.strip().removeprefix("$ "), comments=True)
            except ValueError:
                continue
            yield page, words


def uses_of(program: str) -> list[tuple[Path, list[str]]]:
    """The words behind a program's name, also behind `sudo` and variables (`PEERS=install make test`)."""
    found = []
    for page, words in commands():
        for place, word in enumerate(words):
            plain = all("=" in before or before == "sudo" for before in words[:place])
            if plain and (word == program or word.endswith(f"/bin/{program}")):
                found.append((page, words[place + 1 :]))
    return found


def test_every_make_verb_that_docs_name_is_one() -> None:
    """Names of the Makefile."""
    verbs = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = [(name_of(page), words[0]) for page, words in uses_of("make") if words and "=" not in words[0]]
    assert [use for use in named if use[1] not in verbs] == []
    assert named


def unknown_options(command: click.Command, words: list[str]) -> list[str]:
    known = {name for parameter in command.params for name in parameter.opts} | {"-h", "--help"}
    return [word for word in words if word.startswith("-") and word not in known]


def test_every_use_of_authproxyctl_is_one_that_it_knows() -> None:
    """Its commands and their options."""
    assert isinstance(authproxyctl, click.Group)
    uses = [(name_of(page), words) for page, words in uses_of("authproxyctl") if words]
    for page, (verb, *rest) in uses:
        if verb in ("--help", "-h"):
            continue
        assert verb in authproxyctl.commands, f"{page}: authproxyctl {verb}"
        assert unknown_options(authproxyctl.commands[verb], rest) == [], f"{page}: authproxyctl {verb}"
    assert uses


TOOLS: dict[str, click.Command] = {
    "authproxy": foreground,
    "authproxy_connectivity_tool": connectivity,
    "authproxy_passwd": passwd,
    "authproxy_primary_only": primary_only,
    "authproxy_support": support,
    "authproxy_update_sso_enrollment_code": update_sso_enrollment_code,
    "duoproxy-explain": explain,
}


@pytest.mark.parametrize("tool", TOOLS)
def test_every_use_of_another_tool_is_one_that_it_knows(tool: str) -> None:
    """Its options, and those of its commands."""
    commands = [TOOLS[tool], *getattr(TOOLS[tool], "commands", {}).values()]
    known = {name for command in commands for parameter in command.params for name in parameter.opts}
    options = {word for _, words in uses_of(tool) for word in words if word.startswith("-")}
    assert options - known - {"-h", "--help"} == set()


def test_every_use_of_duoproxy_login_is_one_that_it_knows() -> None:
    """Its options."""
    uses = [(name_of(page), words) for page, words in uses_of("duoproxy-login")]
    assert [(page, unknown_options(duoproxy_login, words)) for page, words in uses] == [(page, []) for page, _ in uses]
    assert any(words for _, words in uses)


def test_every_use_of_twistd_is_one_that_it_knows() -> None:
    """`twistd -n duoauthproxy -c FILE`."""
    uses = [words for _, words in uses_of("twistd") if "duoauthproxy" in words]
    for words in uses:
        options = Options()
        options.parseOptions(words[words.index("duoauthproxy") + 1 :])
    assert any("-c" in words for words in uses)


def test_every_option_that_docs_assign_is_one() -> None:
    """`name=value` in a page is an option of some section, numbered or `_n`."""
    options = [option for schema in CATALOGUE.schemas.values() for option in schema.options]
    known = {name for option in options for name in (option.name, f"{option.name}_protected")}
    unknown = set()
    for page in PAGES:
        for code in inline_code(page) if page.name != "new-section.md" else ():  # that one assigns in Python
            match = ASSIGNED.fullmatch(code)
            stem = re.sub(r"_(?:[0-9]+|n)$", "", match[1]) if match else ""
            if stem and stem not in known | NOT_OPTIONS:
                unknown.add((name_of(page), code))
    assert unknown == set()


def test_every_section_that_docs_name_is_known() -> None:
    """Served, or known and said to be not there yet."""
    known = set(CATALOGUE.schemas) | set(CATALOGUE.planned) | set(CATALOGUE.left_out) | NOT_SECTIONS
    named = {
        (name_of(page), name)
        for page in PAGES
        for code in inline_code(page)
        for name in SECTION.findall(code)
        if "_" in name or name in ("main", "cloud", "sso")
    }
    assert {use for use in named if use[1] not in known} == set()
    assert named
