"""Which attributes pass through, and how hidden values change hands. Source: RFC 2865 §5.44, RFC 2548 §2.4."""

from __future__ import annotations

import pytest

from duoproxy.radius.attributes import AttributeId, Type, all_values, first, vendor_attribute
from duoproxy.radius.dictionary import Dictionary, load_dictionary
from duoproxy.radius.hiding import decrypt_salted, encrypt_salted, hide_password, reveal_password
from duoproxy.radius.packet import Attribute, Code, Packet
from duoproxy.radius.relay import (
    SAID_OF_A_PROOF,
    PassThrough,
    challenge_attributes_for_device,
    reply_attributes_for_device,
    request_attributes_for_upstream,
)

UPSTREAM_SECRET, UPSTREAM_RA = b"upstream secret", b"u" * 16
DEVICE_SECRET, DEVICE_RA = b"device secret", b"d" * 16
EVERYTHING = PassThrough(everything=True)
SEND_KEY, RECV_KEY, CHAP_KEYS = AttributeId(311, 16), AttributeId(311, 17), AttributeId(311, 12)
SUCCESS, CHAP_ERROR = AttributeId(311, 26), AttributeId(311, 2)
OF_ONE_HOP: list[Attribute] = [
    (Type.USER_PASSWORD, b"h" * 16),
    (Type.CHAP_PASSWORD, b"c" * 17),
    (Type.CHAP_CHALLENGE, b"c" * 16),
    (Type.EAP_MESSAGE, b"\x03\x01\x00\x04"),
    (Type.MESSAGE_AUTHENTICATOR, b"m" * 16),
    (Type.STATE, b"state of the upstream"),
    (Type.PROXY_STATE, b"proxy state of the upstream"),
]


@pytest.fixture(scope="module")
def dictionary() -> Dictionary:
    return load_dictionary()


def relayed(
    dictionary: Dictionary,
    attributes: list[Attribute],
    pass_through: PassThrough = EVERYTHING,
    code: Code = Code.ACCESS_ACCEPT,
    accepted: bool = True,
) -> list[Attribute]:
    return reply_attributes_for_device(
        Packet(code, 1, bytes(16), tuple(attributes)),
        UPSTREAM_RA,
        UPSTREAM_SECRET,
        pass_through,
        dictionary,
        DEVICE_SECRET,
        DEVICE_RA,
        lambda size: bytes(size),
        accepted,
    )


def named(*names: AttributeId | int) -> PassThrough:
    return PassThrough(
        names=frozenset(name if isinstance(name, AttributeId) else AttributeId(0, name) for name in names)
    )


def salted(number: int, key: bytes, salt: bytes = b"\x80\x01") -> Attribute:
    return vendor_attribute(311, number, encrypt_salted(key, UPSTREAM_SECRET, UPSTREAM_RA, salt))


def test_everything_crosses_in_its_order(dictionary):
    """pass_through_all: what the primary sent goes on unchanged, in order, unknown types and vendors included."""
    attributes: list[Attribute] = [
        (Type.CLASS, b"\x00\xff"),
        vendor_attribute(9, 1, b"shell:priv-lvl=15"),
        (200, b"unknown"),
        (Type.REPLY_MESSAGE, b"Welcome"),
        vendor_attribute(12356, 1, b"vpn users"),
        (Type.CLASS, b"second"),
    ]
    assert relayed(dictionary, attributes) == attributes


def test_what_belongs_to_one_hop_never_crosses(dictionary):
    """Passwords, EAP, Message-Authenticator, State and Proxy-State stay, even if they are named."""
    kept: Attribute = (Type.FILTER_ID, b"staff")
    everything_named = named(*(number for number, _ in OF_ONE_HOP), Type.FILTER_ID)
    for pass_through in (EVERYTHING, everything_named):
        assert relayed(dictionary, [*OF_ONE_HOP, kept], pass_through) == [kept]


def test_only_what_is_named_crosses(dictionary):
    """Without pass_through_all only the named attributes go on; without names none."""
    attributes: list[Attribute] = [(Type.CLASS, b"c"), (Type.FILTER_ID, b"f"), vendor_attribute(9, 1, b"a")]
    assert relayed(dictionary, attributes, named(Type.FILTER_ID)) == [attributes[1]]
    assert relayed(dictionary, attributes, named(AttributeId(9, 1))) == [attributes[2]]
    assert relayed(dictionary, attributes, PassThrough()) == []


def test_named_attribute_is_taken_out_of_a_shared_vendor_specific(dictionary):
    """Of several attributes in one Vendor-Specific only the named ones go on."""
    shared: Attribute = (26, b"\0\0\0\x09" + b"\x01\x03a" + b"\x02\x03x" + b"\x01\x03b")
    assert relayed(dictionary, [shared], named(AttributeId(9, 1))) == [(26, b"\0\0\0\x09\x01\x03a\x01\x03b")]
    assert relayed(dictionary, [shared], named(AttributeId(9, 3))) == []
    assert relayed(dictionary, [shared]) == [shared]


def test_vendor_specific_by_its_own_number_means_every_vendor(dictionary):
    """Naming 26 lets every vendor's attributes through, opaque ones too."""
    attributes: list[Attribute] = [(26, b"\0\0\0\x09\x01\x00"), vendor_attribute(311, 7, bytes(4)), (25, b"c")]
    assert relayed(dictionary, attributes, named(26)) == attributes[:2]


def test_opaque_vendor_specific_crosses_only_with_everything(dictionary):
    """Where nothing inside can be named, a name lets nothing through."""
    opaque: Attribute = (26, b"\0\0\0\x09\x01\x09a")
    assert relayed(dictionary, [opaque], named(AttributeId(9, 1))) == []
    assert relayed(dictionary, [opaque]) == [opaque]


def test_mppe_keys_are_encrypted_anew_with_salts_of_their_own(dictionary):
    """MS-MPPE keys reach the device under its own secret and authenticator, each with another salt."""
    send, recv = bytes(range(32)), bytes(range(32, 64))
    attributes = relayed(dictionary, [salted(16, send), salted(17, recv)])
    values = [first(attributes, SEND_KEY), first(attributes, RECV_KEY)]
    assert None not in values
    assert [decrypt_salted(value, DEVICE_SECRET, DEVICE_RA) for value in values if value] == [send, recv]
    salts = {value[:2] for value in values if value}
    assert len(salts) == 2
    assert all(salt[0] & 0x80 for salt in salts)


def test_tunnel_password_keeps_its_tag(dictionary):
    """RFC 2868 §3.5: the tag stays in the clear before the value that is encrypted anew."""
    value = b"\x05" + encrypt_salted(b"tunnel", UPSTREAM_SECRET, UPSTREAM_RA, b"\x90\x00")
    [(number, new)] = relayed(dictionary, [(Type.TUNNEL_PASSWORD, value)])
    assert (number, new[0]) == (Type.TUNNEL_PASSWORD, 5)
    assert decrypt_salted(new[1:], DEVICE_SECRET, DEVICE_RA) == b"tunnel"


def test_value_hidden_like_a_password_is_hidden_anew(dictionary):
    """RFC 2548 §2.4.1: MS-CHAP-MPPE-Keys is hidden as a User-Password is."""
    hidden = hide_password(b"k" * 32, UPSTREAM_SECRET, UPSTREAM_RA)
    value = first(relayed(dictionary, [vendor_attribute(311, 12, hidden)]), CHAP_KEYS)
    assert value is not None
    assert reveal_password(value, DEVICE_SECRET, DEVICE_RA) == b"k" * 32


def test_hidden_value_that_cannot_be_opened_is_left_out(dictionary):
    """Garbage is not relayed; what stands beside it is."""
    broken: list[Attribute] = [vendor_attribute(311, 16, b"short"), (Type.TUNNEL_PASSWORD, b"")]
    assert relayed(dictionary, [*broken, (25, b"c")]) == [(25, b"c")]


def test_upstream_accept_gives_nothing_to_a_rejected_device(dictionary):
    """A login that Duo refuses carries no key, no success message, no Class: nothing of the Accept at all."""
    attributes = [salted(16, bytes(32)), vendor_attribute(311, 26, b"S=0"), (25, b"c"), (18, b"Welcome"), (8, bytes(4))]
    assert relayed(dictionary, attributes, accepted=False) == []


def test_upstream_challenge_gives_nothing(dictionary):
    """An Access-Challenge is never success, and its attributes are nobody's."""
    assert relayed(dictionary, [(18, b"code?")], code=Code.ACCESS_CHALLENGE, accepted=False) == []


def test_reject_carries_only_what_a_reject_may(dictionary):
    """RFC 2865 §5.44: Reply-Message, with Password-Retry, Error-Cause and MS-CHAP-Error of later RFCs, and no more."""
    allowed: list[Attribute] = [
        (Type.REPLY_MESSAGE, b"No."),
        (Type.PASSWORD_RETRY, b"\0\0\0\x01"),
        (Type.ERROR_CAUSE, b"\0\0\x01\x95"),
        vendor_attribute(311, 2, b"\x01E=691 R=0"),
    ]
    more = [salted(17, bytes(32)), vendor_attribute(311, 26, b"S=0"), vendor_attribute(9, 1, b"a"), (25, b"c")]
    more += [(8, bytes(4)), (1, b"alice"), (26, b"\0\0\0\x09\x01\x09a"), *OF_ONE_HOP]
    reject = [*more, *allowed]
    assert relayed(dictionary, reject, code=Code.ACCESS_REJECT, accepted=False) == allowed
    assert relayed(dictionary, reject, PassThrough(), Code.ACCESS_REJECT, accepted=False) == []


@pytest.mark.parametrize("code", [Code.ACCESS_REJECT, Code.ACCESS_CHALLENGE, 99])
def test_no_other_code_can_become_an_accept(dictionary, code):
    """Only an Access-Accept of the upstream can become one for the device."""
    with pytest.raises(ValueError, match="only an Access-Accept"):
        relayed(dictionary, [], code=code)


def test_options_of_two_sections_add_up():
    """What the server section or the client section names goes through."""
    merged = named(1).merge(named(2))
    assert merged == named(1, 2)
    assert named(1).merge(EVERYTHING).everything
    assert not merged.takes(AttributeId(0, 3))


def upstream(dictionary: Dictionary, attributes: list[Attribute], pass_through: PassThrough) -> list[Attribute]:
    return request_attributes_for_upstream(
        Packet(Code.ACCESS_REQUEST, 1, DEVICE_RA, tuple(attributes)), pass_through, dictionary
    )


def test_request_upstream_takes_what_is_named(dictionary):
    """Named attributes of the device's request go upstream, in order."""
    attributes: list[Attribute] = [(31, b"203.0.113.7"), vendor_attribute(9, 1, b"a"), (61, b"\0\0\0\x05")]
    assert upstream(dictionary, attributes, EVERYTHING) == attributes
    assert upstream(dictionary, attributes, named(31)) == attributes[:1]
    assert upstream(dictionary, attributes, PassThrough()) == []


def test_credentials_of_the_device_never_go_upstream(dictionary):
    """The request to the upstream has its own name and credentials, and hidden values are not handed on."""
    attributes: list[Attribute] = [
        (1, b"alice"),
        *OF_ONE_HOP,
        (Type.TUNNEL_PASSWORD, b"\x01" + b"t" * 18),
        vendor_attribute(311, 12, b"k" * 16),
        *[vendor_attribute(311, number, b"p" * 50) for number in (1, 3, 4, 5, 6, 11, 25, 27)],
    ]
    assert upstream(dictionary, attributes, EVERYTHING) == []


def test_every_salted_value_of_a_full_packet_is_relayed(dictionary):
    """As many salted values as one packet can hold all come out, with salts that differ."""
    inner = encrypt_salted(b"", UPSTREAM_SECRET, UPSTREAM_RA, b"\x80\x00")
    one = bytes((16, 2 + len(inner))) + inner
    attributes: list[Attribute] = [(26, b"\0\0\x01\x37" + one * 12)] * 16
    values = all_values(relayed(dictionary, attributes), SEND_KEY)
    assert len(values) == len({value[:2] for value in values}) == 192


def test_what_never_passes_is_not_let_through_by_anybody():
    """`never` outlives a merge, on whichever side it stands."""
    unwanted = AttributeId(0, Type.CLASS)
    strict = PassThrough(never=frozenset({unwanted}))
    for merged in (strict.merge(PassThrough(everything=True)), PassThrough(names=frozenset({unwanted})).merge(strict)):
        assert not merged.takes(unwanted)
    assert strict.merge(PassThrough(everything=True)).takes(AttributeId(0, Type.FILTER_ID))


def challenged(dictionary: Dictionary, attributes: list[Attribute], pass_through: PassThrough) -> list[Attribute]:
    packet = Packet(Code.ACCESS_CHALLENGE, 1, bytes(16), tuple(attributes))
    return challenge_attributes_for_device(packet, pass_through, dictionary)


QUESTION: list[Attribute] = [
    (Type.REPLY_MESSAGE, b"Enter the code "),
    (Type.STATE, b"state of the upstream"),
    (Type.REPLY_MESSAGE, b"of your token"),
    (Type.SESSION_TIMEOUT, (30).to_bytes(4, "big")),
    (Type.PROMPT, (1).to_bytes(4, "big")),
    (Type.IDLE_TIMEOUT, (5).to_bytes(4, "big")),
    (Type.CLASS, b"granted too early"),
    vendor_attribute(9, 1, b"shell:priv-lvl=15"),
]
SHOWN = [QUESTION[0], QUESTION[2], QUESTION[4]]


def test_a_challenge_shows_its_question_without_being_named(dictionary):
    """Reply-Message and Prompt; State and Session-Timeout are said by the proxy."""
    assert challenged(dictionary, QUESTION, PassThrough()) == SHOWN


def test_a_challenge_carries_only_what_a_challenge_may(dictionary):
    """RFC 2865 §5.44: no Class, whatever was named; vendors' attributes and Idle-Timeout where they are named."""
    assert challenged(dictionary, QUESTION, EVERYTHING) == [*SHOWN, QUESTION[5], QUESTION[7]]
    assert challenged(dictionary, QUESTION, named(Type.CLASS, AttributeId(9, 1))) == [*SHOWN, QUESTION[7]]


def test_no_hidden_value_passes_in_a_challenge(dictionary):
    """RFC 2548 §3, RFC 2868 §4: keys, tunnel passwords and the success of a proof are for an Accept."""
    hidden = encrypt_salted(b"k" * 16, UPSTREAM_SECRET, UPSTREAM_RA, b"\x80\x00")
    granted = [
        vendor_attribute(311, 16, hidden),
        vendor_attribute(311, 12, b"n" * 32),
        vendor_attribute(311, 26, b"\1S=success"),
        (int(Type.TUNNEL_PASSWORD), b"\1" + hidden),
    ]
    assert challenged(dictionary, [*QUESTION, *granted], EVERYTHING) == [*SHOWN, QUESTION[5], QUESTION[7]]


def test_what_never_passes_does_not_pass_in_a_challenge_either(dictionary):
    """In EAP there is no Reply-Message."""
    silent = PassThrough(never=frozenset({AttributeId(0, Type.REPLY_MESSAGE)}))
    assert challenged(dictionary, QUESTION, silent) == [QUESTION[4]]


def test_no_other_reply_becomes_a_challenge(dictionary):
    """An Accept is never taken for a question."""
    with pytest.raises(ValueError, match="only an Access-Challenge"):
        challenge_attributes_for_device(Packet(2, 1, bytes(16), ()), EVERYTHING, dictionary)


def test_what_is_said_of_a_proof_passes_and_is_hidden_anew(dictionary):
    """Success, both kinds of keys, policy, types and domain; a Class beside them does not."""
    keys = b"\0" * 8 + b"n" * 16
    granted = [
        vendor_attribute(311, 26, b"\1S=" + b"A" * 40),
        salted(16, b"send"),
        salted(17, b"receive", b"\x80\x02"),
        vendor_attribute(311, 12, hide_password(keys, UPSTREAM_SECRET, UPSTREAM_RA)),
        vendor_attribute(311, 7, (1).to_bytes(4, "big")),
        vendor_attribute(311, 8, (6).to_bytes(4, "big")),
        vendor_attribute(311, 10, b"\1CORP"),
        (Type.CLASS, b"not named"),
    ]
    passed = relayed(dictionary, granted, PassThrough(names=SAID_OF_A_PROOF))
    assert first(passed, SUCCESS) == b"\1S=" + b"A" * 40
    assert decrypt_salted(first(passed, SEND_KEY) or b"", DEVICE_SECRET, DEVICE_RA) == b"send"
    assert decrypt_salted(first(passed, RECV_KEY) or b"", DEVICE_SECRET, DEVICE_RA) == b"receive"
    assert reveal_password(first(passed, CHAP_KEYS) or b"", DEVICE_SECRET, DEVICE_RA) == keys
    assert [first(passed, AttributeId(311, number)) for number in (7, 8, 10)] == [
        b"\0\0\0\1",
        b"\0\0\0\6",
        b"\1CORP",
    ]
    assert first(passed, Type.CLASS) is None
    assert relayed(dictionary, granted, PassThrough(names=SAID_OF_A_PROOF), accepted=False) == []
