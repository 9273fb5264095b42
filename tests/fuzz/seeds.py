"""Writes the seeds that are made from packets of the RFCs and from our own encoders: `python tests/fuzz/seeds.py`.

Beside them stand seeds that were kept by hand: inputs that once broke something, and texts.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ldaptor.protocols import pureldap

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from duoproxy.radius.attributes import Type, vendor_attribute
from duoproxy.radius.authenticators import encode_reply, encode_request
from duoproxy.radius.hiding import encrypt_salted, hide_password
from duoproxy.radius.packet import Attribute, Code, encode_attributes
from tests.fuzz.targets import challenge_answers, radius_relay
from tests.unit.ldap import relay_kit
from tests.unit.radius import vectors

CORPUS = Path(__file__).resolve().parent / "corpus"
Seeds = dict[str, dict[str, bytes]]

AUTHENTICATOR = bytes(range(16))
SECRET = vectors.SECRET
MICROSOFT = 311


def all_seeds() -> Seeds:
    """Make the seeds, by target and name."""
    return {**_packets(), **_hidden(), **_duo(), **_web(), **_ldap(), **_eap()}


def _packets() -> Seeds:
    rfc = {name.lower().replace("_", "-"): value for name, value in vars(vectors).items() if name.startswith("RFC")}
    replies = {name: value for name, value in rfc.items() if value[0] in (2, 3, 11)}
    carried = {"request": encode_attributes(_request()), "reply": encode_attributes(_reply(SECRET, AUTHENTICATOR))}
    head = bytes((1, 7, 0, 20)) + AUTHENTICATOR
    relayed = encode_attributes(_reply(*radius_relay.UPSTREAM))
    return {
        "radius_packet": {
            **rfc,
            "request": encode_request(1, 7, AUTHENTICATOR, _request(), SECRET),
            "padded": head + b"\0",
        },
        "radius_authenticators": rfc,
        "radius_attributes": carried,
        "radius_relay": {
            "everything": b"\0" + relayed,
            "vendor-specific": b"\1" + relayed,
            "reject": b"\x80" + relayed,
        },
        "radius_listener": {
            **{name: b"\0" + value for name, value in rfc.items() if name not in replies},
            "unsigned": b"\0" + head + encode_attributes(_request()),
            "signed": b"\1" + head + encode_attributes(_request()),
            "status-server": b"\1" + b"\x0c" + head[1:],
        },
        "login_exchange": replies,
        **_relayed_logins(),
        "packet_info": {
            "four": b"\0" + bytes((2, 0, 0, 0)) + bytes((127, 0, 0, 1)) * 2,
            "six": b"\1" + bytes.fromhex("20010db8000000000000000000000001") + bytes((2, 0, 0, 0)),
            "mapped": b"\1" + bytes(10) + bytes.fromhex("ffff0a000001") + bytes(4),
            "link-local": b"\1" + bytes.fromhex("fe800000000000000000000000000001") + bytes((2, 0, 0, 0)),
        },
        "radius_upstream": {
            **{name: b"\0" + value for name, value in replies.items()},
            "accept": b"\1" + encode_reply(Code.ACCESS_ACCEPT, 7, AUTHENTICATOR, _reply(SECRET, AUTHENTICATOR), SECRET),
        },
    }


def _relayed_logins() -> Seeds:
    """Proofs as devices send them, and whole logins: password, token, then what Duo wants."""
    challenge, ours = vendor_attribute(MICROSOFT, 11, AUTHENTICATOR), challenge_answers
    password, token, push, code = ours.PASSWORD.encode(), ours.TOKEN.encode(), b"push", ours.CODE.encode()

    def said(*requests: tuple[int, int, bytes]) -> bytes:
        made = [bytes((where, kind)) + text for where, kind, text in requests]
        return b"".join(bytes((len(one),)) + one for one in made)

    return {
        "radius_credentials": {
            "chap": b"\0" + encode_attributes([(Type.CHAP_PASSWORD, bytes(17))]),
            "chap-challenge": b"\0" + encode_attributes([(Type.CHAP_PASSWORD, bytes(17)), (Type.CHAP_CHALLENGE, b"c")]),
            "ms-chap": b"\0" + encode_attributes([vendor_attribute(MICROSOFT, 1, bytes(50)), challenge]),
            "ms-chap-v2": b"\0" + encode_attributes([vendor_attribute(MICROSOFT, 25, bytes(50)), challenge]),
            "change": b"\0"
            + encode_attributes(
                [vendor_attribute(MICROSOFT, 27, bytes(68)), challenge, vendor_attribute(MICROSOFT, 6, bytes(200))]
            ),
            "half": b"\0" + encode_attributes([vendor_attribute(MICROSOFT, 25, bytes(50))]),
            "two": b"\0" + encode_attributes([(Type.CHAP_PASSWORD, bytes(17)), (Type.USER_PASSWORD, bytes(16))]),
        },
        "challenge_answers": {
            "auto": b"\0" + said((0, 0, password), (4, 0, token)),
            "prompt": b"\2" + said((0, 0, password), (4, 0, token), (4, 0, push)),
            "code": b"\2" + said((2, 0, password), (6, 0, token), (6, 0, b"000000"), (6, 0, code)),
            "proof": b"\0" + said((0, 7, b""), (4, 0, token)),
            "stolen": b"\2" + said((0, 0, password), (5, 0, token), (6, 0, token), (12, 0, bytes(16)), (4, 0, token)),
            "again": b"\0" + said((0, 0, password), (4, 0, token), (8, 0, token), (8, 0, push)),
            "late": b"\0" + said((0, 0, password), (255, 0, b""), (255, 0, b""), (4, 0, token)),
            "appended": b"\1" + said((0, 0, password + b"," + code), (4, 0, token)),
        },
    }


def _request() -> list[Attribute]:
    """What a VPN sends; its password is hidden where it is sent."""
    return [
        (Type.USER_NAME, b"alice"),
        (Type.USER_PASSWORD, b"pencil,push2"),
        (Type.NAS_IP_ADDRESS, bytes((10, 0, 0, 5))),
        (Type.NAS_PORT, bytes((0, 0, 0, 9))),
        (Type.CALLING_STATION_ID, b"192.0.2.7:5000"),
        (Type.PROXY_STATE, b"state"),
        vendor_attribute(9, 1, b"ip:source-ip=192.0.2.7"),
        vendor_attribute(25461, 7, b"192.0.2.7"),
        vendor_attribute(MICROSOFT, 18, b"MSRASV5.20"),
    ]


def _reply(secret: bytes, authenticator: bytes) -> list[Attribute]:
    """What a server gives with an Accept: text, a class, keys, a tunnel password, vendors with formats of their own."""
    salted = [encrypt_salted(bytes(32), secret, authenticator, bytes((0x80, number))) for number in range(3)]
    wimax = (24757).to_bytes(4, "big") + bytes((1, 4, 0, 1))
    usr = (429).to_bytes(4, "big") + (0x9023).to_bytes(4, "big") + b"value"
    return [
        (Type.REPLY_MESSAGE, "Grüße".encode()),
        (Type.CLASS, b"class"),
        (Type.FRAMED_IP_ADDRESS, bytes((10, 1, 2, 3))),
        (Type.FRAMED_IPV6_PREFIX, bytes((0, 64)) + bytes(8)),
        (Type.EVENT_TIMESTAMP, bytes((0x6A, 0, 0, 0))),
        vendor_attribute(MICROSOFT, 16, salted[0]),
        vendor_attribute(MICROSOFT, 17, salted[1]),
        (Type.TUNNEL_PASSWORD, b"\1" + salted[2]),
        (Type.TUNNEL_TYPE, bytes((1, 0, 0, 3))),
        (Type.VENDOR_SPECIFIC, wimax),
        (Type.VENDOR_SPECIFIC, usr),
        (Type.EAP_MESSAGE, bytes((3, 1, 0, 4))),
    ]


def _hidden() -> Seeds:
    return {
        "radius_hiding": {
            "rfc2865-7-1": vectors.RFC2865_7_1_REQUEST[4:20] + vectors.RFC2865_7_1_REQUEST[30:46],
            "long": AUTHENTICATOR + hide_password(b"a" * 120, SECRET, AUTHENTICATOR),
            "salted": AUTHENTICATOR + encrypt_salted(b"k" * 32, SECRET, AUTHENTICATOR, b"\x80\x01"),
        }
    }


def _duo() -> Seeds:
    phone = {
        "device": "DP1",
        "type": "phone",
        "number": "+49 30 1234",
        "capabilities": ["auto", "push", "sms", "phone"],
    }
    answers: dict[str, object] = {
        "ping": {"time": 1_790_000_000},
        "pong": "pong",
        "valid": "valid",
        "auth": {
            "result": "auth",
            "status_msg": "Account is active",
            "devices": [phone, {"device": "DH1", "type": "token"}],
        },
        "auth-v1": {
            "result": "auth",
            "status": "…",
            "factors": {"default": "push1", "1": "sms2"},
            "prompt": "Choose:\n 1. Push",
        },
        "enroll": {
            "result": "enroll",
            "status_msg": "Enroll",
            "enroll_portal_url": "https://api.example.com/portal?code=1",
        },
        "allow": {"result": "allow", "status": "allow", "status_msg": "Success. Logging you in..."},
        "deny": {"result": "deny", "status": "fraud", "status_msg": "reported"},
        "sent": {"result": "deny", "status": "SMS passcodes have been sent"},
        "waiting": {"result": "waiting", "status": "pushed"},
        "transaction": {"txid": "45f7c92b-f45f-4862-8545-e0f58e78075a"},
        "allow-other-case": {"result": "Allow", "status": "allow"},
        "allow-true": {"result": True},
        "devices-object": {"result": "auth", "devices": {"device": "DP1"}, "factors": ["push1"]},
        "devices-text": {"result": "auth", "devices": "DP1", "factors": "push1"},
        "device-odd": {
            "result": "auth",
            "devices": [["DP1"], None, {"device": 1, "capabilities": {"push": 1}, "number": []}],
        },
        "result-odd": {"result": ["allow"], "txid": {}, "time": True, "status": 1, "status_msg": {}},
        "surrogates": {
            "result": "auth",
            "devices": [{**phone, "device": "\ud800", "name": "\udfff"}],
            "txid": "\udc00",
        },
    }
    spelled = {name: json.dumps(answer).encode() for name, answer in answers.items()}
    fail = {"stat": "FAIL", "code": 40103, "message": "Invalid signature in request credentials", "message_detail": "x"}
    envelope = {name: b'\0{"stat": "OK", "response": ' + body + b"}" for name, body in spelled.items()}
    return {
        "duo_results": spelled,
        "duo_answer": {
            "deep": b"\0" + b"[" * 3000,
            **envelope,
            "fail": b"\5" + json.dumps(fail).encode(),
            "html": b"\x0a<html>",
            "redirect": b"\x0b{}",
        },
    }


def _web() -> Seeds:
    head = b"HTTP/1.1 200 OK\r\nDate: Mon, 21 Sep 2026 12:26:40 GMT\r\nServer: x\r\n"
    body = b'{"stat": "OK", "response": "valid"}'
    form = b"content-type: application/x-www-form-urlencoded\n"
    signed = (
        b"authorization: Basic RElTQU5EQk9YMDAwMDAwMDAwMDA6MDA=\ndate: Mon, 21 Sep 2026 12:26:40 -0000\nhost: localhost"
    )
    return {
        "http_answer": {
            "length": b"\0" + head + b"Content-Length: %d\r\n\r\n" % len(body) + body,
            "chunked": b"\7" + head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n",
            "until-close": b"\0" + head.replace(b"1.1", b"1.0") + b"Connection: close\r\n\r\n" + body,
            "continue": b"\1HTTP/1.1 100 Continue\r\n\r\n" + head + b"Content-Length: 0\r\n\r\n",
            "gzip": b"\0" + head + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08",
            "redirect": b"\0HTTP/1.1 302 Found\r\nLocation: https://localhost:1/\r\nContent-Length: 0\r\n\r\n",
        },
        "http_connect": {
            "opened": b"\0HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n",
            "in-pieces": b"\1HTTP/1.0 200 OK\r\n\r\n",
            "refused": b"\0HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
            "data-behind": b"\5HTTP/1.1 200 OK\r\n\r\n\x15\x03\x01\0\2",
        },
        "http_connect_request": {
            "allowed": b"\xffCONNECT api-1.duosecurity.com:443 HTTP/1.1\r\nHost: a\r\n\r\n",
            "old": b"\x09CONNECT API-1.duosecurity.com:443 HTTP/1.0\r\n\r\n",
            "elsewhere": b"\xffCONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n",
            "early": b"\x20CONNECT api-1.duosecurity.com:443 HTTP/1.1\r\nHost: a\r\n\r\n\x16\3",
            "get": b"\xffGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        },
        "sandbox_signature": {
            "get": b"GET\0/auth/v2/check\0a=%C3%A4&b=\0" + signed + b"\0",
            "form": b"POST\0/rest/v1/preauth\0\0" + form + signed + b"\0user=alice&ipaddr=192.0.2.7",
            "json": b"POST\0/auth/v2/auth\0\0content-type: application/json\n"
            + signed
            + b'\0{"username": "alice", "async": 1}',
        },
    }


def _search() -> bytes:
    match = pureldap.LDAPFilter_and(
        [pureldap.LDAPFilter_present("cn"), pureldap.LDAPFilter_not(pureldap.LDAPFilter_present("x"))]
    )
    asked = pureldap.LDAPSearchRequest(baseObject=b"DC=corp,DC=example", filter=match, attributes=["cn", "1.1"])
    return bytes(pureldap.LDAPMessage(asked, id=3).toWire())


def _runs() -> dict[str, bytes]:
    """Requests of a bound client, and answers; the first octet says which, and how they are cut."""
    asked = relay_kit.search(9) + relay_kit.modify(10) + relay_kit.search(200)
    controlled = relay_kit.message(201, relay_kit.tlv(0x4A, b"dc=x"), relay_kit.tlv(0xA0, b"0\0"))
    entries = relay_kit.entry(2) * 3 + relay_kit.entry(3)
    done = relay_kit.done(2)
    return {
        "asked": b"\0" + asked + asked[:9],
        "bind": b"\x14" + asked + controlled + relay_kit.bind(202) + asked,
        "entries": b"\1" + entries + done,
        "cut": b"\x0f" + entries + done + entries,
        "negative": b"\1" + entries + bytes.fromhex("3005 0201ff 6400"),
    }


def _relayed() -> dict[str, bytes]:
    """Conversations of a client and a directory, each in one stream."""
    bind = bytes.fromhex("3013020101600e0201030404636e3d618003707764")
    yes = bytes.fromhex("300c02010161070a010004000400")
    no = bytes.fromhex("300c02010161070a013104000400")
    search = _search()
    found = bytes.fromhex("300b02010364060402636e3000") + bytes.fromhex("300c02010365070a010004000400")
    abandon, unbind = bytes.fromhex("3006020104500103"), bytes.fromhex("30050201054200")
    start_tls = bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"
    cancel = bytes.fromhex("301902010477148 00b".replace(" ", "")) + b"1.3.6.1.1.8" + bytes.fromhex("81053003020103")
    notice = bytes.fromhex("302402010078 1f0a013404000400".replace(" ", "")) + b"\x8a\x161.3.6.1.4.1.1466.20036"
    return {
        "session": bind + yes + search + found + unbind,
        "refused": bind + no + search,
        "abandoned": bind + yes + search + abandon + found,
        "cancelled": bind + yes + search + cancel,
        "tls": start_tls + bind,
        "twice": bind + bind,
        "notice": bind + yes + notice,
    }


def _ldap() -> Seeds:
    bind = bytes.fromhex("300c020101600702010304008000")
    answer = bytes.fromhex("30840000001002010161840000000 70a010004000400".replace(" ", ""))
    refusal = b"80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data 52e, v1db1"
    name = "CORP".encode("utf-16-le")
    # MS-NLMP §2.2.1.2: target name, flags, challenge, target information, version; then the two that are pointed to.
    challenge = bytes.fromhex("0200000008000800380000003582898a") + bytes(range(8)) + bytes(8)
    challenge += bytes.fromhex("10001000400000000a00614a0000000f") + name + b"\2\0\x08\0" + name + bytes(4)
    facts = (
        b"",
        b"513",
        b"66048",
        b"9223372036854775807",
        b"0",
        b"133500000000000000",
        b"3",
        b"133500000000000000",
        b"CN=x",
    )
    return {
        "ldap_framing": {"bind": b"\0" + bind, "answer": b"\1" + answer, "several": b"\5" + bind + answer + bind[:5]},
        "ldap_messages": {
            "bind": b"\0" + bind,
            "search": b"\0" + _search(),
            "unbind": b"\1" + bytes.fromhex("30050201034200"),
            "extended": b"\0" + bytes.fromhex("300c02010477078005") + b"1.2.3",
            "delete": b"\0" + bytes.fromhex("300702010a4a02") + b"dc",
            "entry": bytes.fromhex("301a02010164150402") + b"dc" + bytes.fromhex("300f300d0402636e310704016104026263"),
            "result": answer,
            "refused": bytes.fromhex("3011020101610c0a013104000405746573742e"),
        },
        "ldap_relay": _relayed(),
        "ldap_runs": _runs(),
        "ldap_ntlm": {
            "challenge": b"\1NTLMSSP\0" + challenge,
            "sealed": b"\1\1\0\0\0" + bytes(12) + b"sealed",
            "nothing": b"\0",
        },
        "ldap_answers": {
            "refused": b"1" + refusal,
            "entry": b"\0".join(facts),
            "sid": bytes.fromhex("010500000000000515000000a065cf7e784b9b5fe77c8770091c0100"),
        },
        "ldap_names": {
            "user": b"CN=Alice \\2c Wonder,OU=People,DC=corp,DC=example,DC=test",
            "several-parts": b"OU=Sales+CN=J.  Smith , O = Widget\\+Co",
            "hex": b"1.3.6.1.4.1.1466.0=#04024869",
            "not-utf8": b"cn=\xff\\c3\\a4\\ ",
            "account": b"CORP\\alice@corp.example.test",
        },
    }


def _eap() -> Seeds:
    hello = bytes.fromhex(  # a ClientHello of TLS 1.2
        "160301008401000080030352d9eb9daa66dd53a3214da8c87922caad6b42381cdf351dfa19f032874607df000002c02b01000055ff01"
        "000100000b00020100000a000c000a001d0017001e00180019002300000016000000170000000d002a0028040305030603080708080809"
        "080a080b080408050806040105010601030303010302040205020602"
    )
    success = bytes.fromhex("80030002000100 0c003800000001".replace(" ", "")) + bytes(52)
    confirmed = bytes.fromhex("0204000b21800300020001")
    return {
        "eap_packet": {
            "identity": b"\x02\x01\x00\x0a\x01alice",
            "nak": b"\x02\x01\x00\x07\x03\x19\x15",
            "expanded-nak": bytes.fromhex("02010014fe00000000000003fe00000000000019"),
            "success": b"\x03\x01\x00\x04",
            "padded": b"\x02\x01\x00\x05\x01\0\0",
        },
        "eap_fragments": {
            "three": _sized(b"\xc1\0\0\0\x06ab", b"\x41cd", b"\x01ef"),
            "acknowledgement": _sized(b"\x01"),
            "lying": _sized(b"\x81\xff\xff\xff\xffab"),
            "no-flags": _sized(b"", b"\x81\0"),
        },
        "eap_tlvs": {
            "success": success,
            "failure": bytes.fromhex("800300020002"),
            "refused": bytes.fromhex("80630000"),
        },
        "eap_inner": {
            "version-0": b"\2" + _sized(b"\x01alice", b"\x06pencil", confirmed),
            "version-1": b"\1"
            + _sized(bytes.fromhex("0201000a01") + b"alice", bytes.fromhex("0202000b06") + b"pencil", b""),
            "prompts": b"\0" + _sized(b"\x01alice", b"\x06wrong", b"\x06pencil", confirmed),
            "refused": b"\x0a" + _sized(b"\x01alice", b"\x06wrong", b"\x06", b"\x21"),
            "nak": b"\0" + _sized(b"\x01alice", b"\x03\x1a", b""),
        },
        "eap_responses": {
            "hello": b"\0" + _sized(b"\x01" + hello),
            "fragments": b"\0" + _sized(b"\xc1" + len(hello).to_bytes(4, "big") + hello[:20], b"\x01" + hello[20:]),
            "alert": b"\0" + _sized(b"\x01" + bytes.fromhex("15030300020230")),
            "packets": b"\1" + _sized(b"\x02\x08\x00\x06\x03\x15", b"\x03\x08\x00\x04"),
        },
    }


def _sized(*messages: bytes) -> bytes:
    """Put messages together as `shaping.messages` cuts them."""
    return b"".join(bytes((len(message),)) + message for message in messages)


def main() -> None:
    for target, seeds in all_seeds().items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, octets in seeds.items():
            (folder / name).write_bytes(octets)


if __name__ == "__main__":
    main()
