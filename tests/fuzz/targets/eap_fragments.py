"""Fragments of a TLS message: a message within the limit, nothing yet, or our error; never more kept than the limit."""

from __future__ import annotations

from duoproxy.eap.tls_fragments import Incoming, Outgoing, decode_fragment, encode_fragment
from duoproxy.errors import Disposition, RemoteProtocolError
from tests.fuzz.shaping import first_octet, messages

LIMIT = 300
WORDS = (b"\xc1\0\0\0\x0a", b"\x41", b"\x01", b"\x81\0\0\0\x04", b"\x21", b"\x81\xff\xff\xff\xff")


def target(data: bytes) -> None:
    incoming = Incoming(LIMIT)
    for type_data in messages(data):
        try:
            fragment = decode_fragment(type_data)
        except RemoteProtocolError as error:
            assert error.disposition is Disposition.DISCARD
            continue
        assert decode_fragment(encode_fragment(fragment)) == fragment
        try:
            message = incoming.add(fragment)
        except RemoteProtocolError as error:
            assert error.disposition is Disposition.REJECT
            assert str(error).isprintable()
            break
        assert (message is None) == fragment.more
        assert len(message or b"") <= LIMIT
    _is_put_together_again(data)


def _is_put_together_again(data: bytes) -> None:
    room, message = first_octet(data)
    outgoing, incoming = Outgoing(), Incoming(len(message))
    outgoing.load(message)
    whole = None
    while whole is None:
        type_data = outgoing.next_fragment(1, room)
        assert len(type_data) <= max(room, 6)
        whole = incoming.add(decode_fragment(type_data))
    assert whole == message
    assert not outgoing.pending
