"""TLS towards clients of LDAP: how writes become records."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOProtocol

from duoproxy.net.tls_records import SplitRecords, split_records_factory


@pytest.mark.parametrize("octets", [b"", b"a", b"abc", b"x" * 70_000])
def test_last_octet_of_a_write_has_a_record_of_its_own(octets: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each write leaves something at the socket of a client that reads one record ahead; nothing is lost."""
    records: list[bytes] = []
    monkeypatch.setattr(TLSMemoryBIOProtocol, "write", lambda _, data: records.append(data))
    SplitRecords.write(object.__new__(SplitRecords), octets)
    assert [len(one) for one in records if one] == [size for size in (len(octets) - 1, min(1, len(octets))) if size > 0]
    assert b"".join(records) == octets


def test_clients_of_the_factory_have_it() -> None:
    """Its protocols are no others, and no write waits to be put together with the next."""
    tls: Any = SimpleNamespace()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("duoproxy.net.tls_records.TLSMemoryBIOFactory", lambda *_, **__: tls)
        assert split_records_factory(tls, Factory(), None) is tls
    assert (tls.protocol, tls.noisy) == (SplitRecords, False)
