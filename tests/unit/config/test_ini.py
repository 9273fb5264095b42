"""The INI notation, as files in production use it."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import BinaryIO

import pytest

from duoproxy.config.ini import MAX_ENTRIES, MAX_FILE_BYTES, MAX_LINE_BYTES, MAX_SECTIONS, parse_ini, read_ini


def pairs(content: bytes | str) -> list[tuple[str, str, str, int]]:
    return [(one.name, e.key, e.value, e.line) for one in parse_ini(content, "a.cfg").sections for e in one.entries]


def told(content: bytes | str) -> list[str]:
    return [str(problem) for problem in parse_ini(content, "a.cfg").problems]


def test_sections_and_entries_carry_their_lines() -> None:
    """Each option is known by its line, from 1."""
    ini = parse_ini("[main]\ndebug=true\n\n[a]\nx=1\n", "a.cfg")
    assert [(section.name, section.line) for section in ini.sections] == [("main", 1), ("a", 4)]
    assert pairs("[main]\ndebug=true\n\n[a]\nx=1\n") == [("main", "debug", "true", 2), ("a", "x", "1", 5)]
    assert ini.problems == ()


@pytest.mark.parametrize(
    "content",
    [
        "[A]\nKey = v\n",
        "\ufeff[A]\nKey = v\n",
        "[A]\r\nKey = v\r\n",
        "[A]\rKey = v\r",
        "  [ a ]\n\t Key\t=\tv \t\n",
        "; a comment\n# another = 1\n   ; and one more\n[a]\nKEY=v",
    ],
)
def test_usual_ways_to_write_a_file_are_read_alike(content: str) -> None:
    """Spaces round =, BOM, leading blanks, mixed case, any line end, comment lines."""
    assert [entry[:3] for entry in pairs(content)] == [("a", "key", "v")]
    assert told(content) == []


def test_value_is_kept_whole() -> None:
    """A value is never cut at ; or #, nor at another =, and % means itself."""
    assert pairs("[a]\nsecret = a%b;c #d=e %(x)s\n") == [("a", "secret", "a%b;c #d=e %(x)s", 2)]


def test_comment_that_is_not_utf8_does_no_harm() -> None:
    """Only what counts has to be UTF-8."""
    assert told(b"; Schl\xfcssel\n[a]\nx=1\n") == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"[a]\nx = \xfc\n", "error: a.cfg:2 [a]: the line is not UTF-8. Save the file with the encoding UTF-8."),
        (
            "[a]\nx=1\n".encode("utf-16"),
            "error: a.cfg: the file is not UTF-8 but seems to be UTF-16. Save it with the encoding UTF-8.",
        ),
        (
            "[a]\nx=1\n".encode("utf-16-be"),
            "error: a.cfg: the file is not UTF-8 but seems to be UTF-16. Save it with the encoding UTF-8.",
        ),
        (
            "[a]\nx=\x07\n",
            "error: a.cfg:2 [a]: there is a control character in the line. Delete it, and write the line anew.",
        ),
        (
            "[a]\nhost: 1.2.3.4\n",
            "error: a.cfg:2 [a]: the line is neither a heading, an option nor a comment. "
            "Write NAME = VALUE, or put a ; before a comment.",
        ),
        (
            "[a]\n = 1.2.3.4\n",
            "error: a.cfg:2 [a]: the line is neither a heading, an option nor a comment. "
            "Write NAME = VALUE, or put a ; before a comment.",
        ),
        (
            "[a\nx=1\n",
            "error: a.cfg:1: the heading of a section is not complete. Write its name in brackets, such as [main].",
        ),
        (
            "[]\nx=1\n",
            "error: a.cfg:1: the heading of a section is not complete. Write its name in brackets, such as [main].",
        ),
        (
            "[a] ; the first\nx=1\n",
            "warning: a.cfg:1 [a]: a comment stands behind the heading. Put comments on lines of their own.",
        ),
        (
            "x=1\ny=2\n[a]\n",
            "error: a.cfg:1: there is text before the first section. Begin with a heading, such as [main].",
        ),
        (
            "[a]\nx=1\nX = 2\n",
            "error: a.cfg:3 [a] x: the option stands in line 2 already. Delete one of the two lines.",
        ),
        (
            "[a]\nx=1\n[A]\nx=2\n",
            "error: a.cfg:3 [a]: there is a section of this name in line 1 already. "
            "Write both as one, or give this one a number: [NAME2].",
        ),
        (
            "; nothing\n",
            "error: a.cfg: there is no section in this file. Begin with a heading in brackets, such as [main].",
        ),
        (
            "[a]\nx=" + "y" * MAX_LINE_BYTES,
            f"error: a.cfg:2 [a]: the line is longer than {MAX_LINE_BYTES} bytes. Write a shorter one.",
        ),
    ],
)
def test_text_that_is_no_ini_is_told_with_its_line(content: bytes | str, sentence: str) -> None:
    """Each fault has one sentence: place, cause, remedy."""
    assert told(content) == [sentence]


def test_line_that_makes_no_sense_is_not_quoted() -> None:
    """It may be the second half of a secret."""
    assert "hunter2" not in "".join(told("[a]\nsecret = x\nhunter2\n"))


def test_reading_goes_on_after_a_fault() -> None:
    """All problems are found together, and what is good is read."""
    content = b"[a]\nbad\nx = 1\ny = \xff\n[b\nz = 2\n"
    assert len(told(content)) == 3
    assert ("a", "x", "1", 3) in pairs(content)


def test_line_with_a_fault_still_counts_as_written() -> None:
    """Else it would be told as missing as well."""
    entry = parse_ini(b"[a]\nx = \xff\n", "a.cfg").sections[0].entries[0]
    assert (entry.key, entry.usable) == ("x", False)


def test_file_that_cannot_be_opened_is_a_problem(tmp_path: Path) -> None:
    """A missing file is told like any other problem."""
    ini = read_ini(tmp_path / "no.cfg")
    assert [str(problem) for problem in ini.problems] == [
        f"error: {tmp_path}/no.cfg: the file cannot be read (No such file or directory). "
        "Name a configuration file that can be read."
    ]


def test_a_file_that_this_account_may_not_read_is_one_for_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration of an installation is for its service only: who forgot sudo is told so."""

    def refuse(path: Path, mode: str) -> BinaryIO:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    (problem,) = read_ini(tmp_path / "authproxy.cfg").problems
    assert problem.sentences == (
        "this account may not read the file. Run this as root, or as the account that the file belongs to."
    )


def test_huge_file_is_refused_unread() -> None:
    """At most 1 MiB is looked at."""
    assert read_ini(Path("/dev/zero")).problems[0].what == f"the file is larger than {MAX_FILE_BYTES} bytes"


def test_file_of_the_largest_size_is_read() -> None:
    """The bound itself is allowed."""
    content = b"[a]\nx=1\n" + b";" * 1000 + b"\n" * (MAX_FILE_BYTES - 1008)
    assert len(content) == MAX_FILE_BYTES
    assert told(content) == []


def test_number_of_sections_and_options_is_bounded() -> None:
    """What many sections and options would cost together stays bounded."""
    sections = "".join(f"[a{number}]\n" for number in range(MAX_SECTIONS + 1))
    assert told(sections)[0] == (
        f"error: a.cfg:{MAX_SECTIONS + 1} [a{MAX_SECTIONS}]: there are more than 100 sections. "
        "Spread them over several installations."
    )
    entries = "[a]\n" + "".join(f"x_{number}=1\n" for number in range(MAX_ENTRIES + 1))
    assert told(entries)[0] == (
        f"error: a.cfg:{MAX_ENTRIES + 2} [a] x_{MAX_ENTRIES}: there are more than 5000 options in this section. "
        "Spread them over several sections."
    )
