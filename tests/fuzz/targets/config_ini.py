"""The INI notation: any octets give sections and problems, each once and on one line."""

from __future__ import annotations

from duoproxy.config.ini import MAX_SECTIONS, parse_ini

WORDS = (b"[main]\n", b"[", b"]", b"=", b"\r\n", b";", b"#", b"\xef\xbb\xbf", b"\xff\xfe", b"radius_secret_1 = ", b"\t")


def target(data: bytes) -> None:
    ini = parse_ini(data, "authproxy.cfg")
    names = [section.name for section in ini.sections]
    assert len(set(names)) == len(names) <= MAX_SECTIONS
    lines = data.count(b"\n") + data.count(b"\r") + 1
    for section in ini.sections:
        keys = [entry.key for entry in section.entries]
        assert len(set(keys)) == len(keys)
        assert section.name == section.name.strip().lower()
        assert section.name or ini.problems
        for entry in section.entries:
            assert section.line < entry.line <= lines
            assert entry.key == entry.key.strip().lower()
            assert entry.key
            assert not {"\n", "\r"} & set(entry.value) or not entry.usable
    for problem in ini.problems:
        assert str(problem).isprintable()
        assert problem.what
        assert problem.remedy
    assert ini.sections or ini.problems
