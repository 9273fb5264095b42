"""What the sections of one configuration share."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.task import Clock

from duoproxy.config.validate import load_configuration
from duoproxy.radius.dictionary import load_dictionary
from duoproxy.sections.registry import load_registry
from duoproxy.service.make_service import build_service

DUO = """ikey=DIXXXXXXXXXXXXXXXXXX
skey=0123456789012345678901234567890123456789
api_host=api-1.example
radius_ip_1=192.0.2.1
radius_secret_1=a long shared secret
"""
TEXT = f"[duo_only_client]\n[radius_server_auto]\n{DUO}[radius_server_challenge]\nport=1813\n{DUO}"


def test_all_sections_count_the_same_questions(tmp_path: Path) -> None:
    """One password rings no more telephones because there are several ways to log in; the bounds are one, too."""
    path = tmp_path / "authproxy.cfg"
    path.write_text(TEXT, "utf-8")
    path.chmod(0o600)
    registry = load_registry([])
    service = build_service(load_configuration(path, registry.catalogue), registry, load_dictionary(), Clock())
    environments = [section.environment for section in (*service.clients.values(), *service.servers.values())]
    assert len(environments) == 3
    assert len({id(environment.open_questions) for environment in environments}) == 1
    assert len({id(environment.connection_limit) for environment in environments}) == 1
