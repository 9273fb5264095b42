"""A program of python-ldap that does one of everything, and prints what each call gave, one JSON value a line.

It runs with the Python that Debian's python3-ldap belongs to, not with that of the tests. It leaves the directory as it
found it, so that a second run gives the same.

    python_ldap_program.py '{"url": …, "ca_file": …, "start_tls": …, "user": …, "password": …, "people": …, …}'
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import ldap
import ldap.modlist
from ldap.controls import AssertionControl, LDAPControl, SimplePagedResultsControl
from ldap.controls.readentry import PostReadControl, PreReadControl
from ldap.controls.sss import SSSRequestControl

TIMEOUT_S = 30
PAGE = 500
PIPELINED = 20


def connect(given: dict[str, Any]) -> Any:
    """Bind as the user."""
    connection = ldap.initialize(given["url"])
    connection.set_option(ldap.OPT_NETWORK_TIMEOUT, TIMEOUT_S)
    connection.set_option(ldap.OPT_TIMEOUT, TIMEOUT_S)
    connection.set_option(ldap.OPT_REFERRALS, 0)
    connection.set_option(ldap.OPT_X_TLS_CACERTFILE, given["ca_file"])
    connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
    if given["start_tls"]:
        connection.start_tls_s()
    connection.simple_bind_s(given["user"], given["password"])
    return connection


def read_pages(connection: Any, base: str, naming: str) -> object:
    """Read everything in pages: how many entries each had, and a digest of their names."""
    control = SimplePagedResultsControl(True, size=PAGE, cookie="")
    pages, names = [], []
    while True:
        number = connection.search_ext(base, ldap.SCOPE_SUBTREE, f"({naming}=many*)", [naming], serverctrls=[control])
        _, entries, _, controls = connection.result3(number)
        pages.append(len(entries))
        names += [dn for dn, _ in entries]
        control.cookie = next(one.cookie for one in controls if one.controlType == control.controlType)
        if not control.cookie:
            return pages, len(set(names)), names[::500]


def read_sorted(connection: Any, base: str) -> object:
    """Let the server sort."""
    control = SSSRequestControl(True, ordering_rules=["-uid:caseIgnoreOrderingMatch"])
    number = connection.search_ext(base, ldap.SCOPE_SUBTREE, "(uid=many00*)", ["uid"], serverctrls=[control])
    _, entries, _, controls = connection.result3(number)
    return [dn for dn, _ in entries], [one.controlType for one in controls]


def pipeline(connection: Any, base: str, naming: str) -> object:
    """Ask for several things at once, and take the answers in another order."""
    numbers = [
        connection.search_ext(base, ldap.SCOPE_SUBTREE, f"({naming}=many{number:04})") for number in range(PIPELINED)
    ]
    return [connection.result(number)[1][0][0] for number in reversed(numbers)]


def give_up(connection: Any, base: str) -> object:
    """Abandon a large search in its middle; the next one is answered."""
    number = connection.search_ext(base, ldap.SCOPE_SUBTREE, "(uid=many*)")
    first = connection.result(number, all=0)
    connection.abandon_ext(number)
    after = connection.search_s(base, ldap.SCOPE_SUBTREE, "(uid=many0007)", ["uid"])
    return len(first[1]), after


def change(connection: Any, people: str) -> object:
    """Add, compare, modify with what was before and is now, rename, move back, delete."""
    old, new = f"uid=fresh,{people}", f"uid=renamed,{people}"
    entry = {
        "objectClass": [b"inetOrgPerson"],
        "sn": [b"Fresh"],
        "cn": [b"Fr\xc3\xa9sh"],
        "jpegPhoto": [bytes(range(256))],
    }
    said: list[object] = [connection.add_ext_s(old, ldap.modlist.addModlist(entry))]
    said.append(connection.compare_s(old, "sn", b"fresh"))
    said.append(connection.compare_s(old, "sn", b"stale"))
    reads = [PreReadControl(criticality=True, attrList=["sn"]), PostReadControl(criticality=True, attrList=["sn"])]
    number = connection.modify_ext(old, [(ldap.MOD_REPLACE, "sn", [b"Newer"])], serverctrls=reads)
    *_, controls = connection.result3(number)
    said.append([one.entry for one in controls])
    said.append(connection.rename_s(old, "uid=renamed", delold=1))
    said.append(connection.search_s(new, ldap.SCOPE_BASE))
    said.append(connection.rename_s(new, "uid=renamed", newsuperior=people.partition(",")[2]))
    said.append(connection.delete_s(f"uid=renamed,{people.partition(',')[2]}"))
    return said


def change_password(connection: Any, given: dict[str, Any]) -> object:
    """The passmod operation, there and back; the new password is the one that is taken."""
    person, old = f"uid=pat,{given['people']}", given["password"]
    said: list[object] = [connection.passwd_s(person, None, "brand new")]
    try:
        connect({**given, "user": person})
    except ldap.INVALID_CREDENTIALS as fault:
        said.append(fault.args[0].get("result"))
    again = connect({**given, "user": person, "password": "brand new"})
    said.append(again.whoami_s())
    again.unbind_s()
    said.append(connection.passwd_s(person, None, old))
    return said


def meet_refusals(connection: Any, people: str) -> object:
    """What a server refuses, each in its own words: result, text, matched DN."""
    unknown = LDAPControl("1.2.3.4.5", criticality=True, encodedControlValue=b"x")
    untrue = AssertionControl(criticality=True, filterstr="(uid=nobody)")
    alice = f"uid=alice,{people}"
    attempts: list[Callable[[], object]] = [
        lambda: connection.search_ext_s(people, ldap.SCOPE_BASE, serverctrls=[unknown]),
        lambda: connection.search_ext_s(alice, ldap.SCOPE_BASE, serverctrls=[untrue]),
        lambda: connection.delete_s(f"uid=nobody,{people}"),
        lambda: connection.add_s(alice, [("objectClass", [b"person"]), ("sn", [b"x"]), ("cn", [b"x"])]),
        lambda: connection.modify_s(alice, [(ldap.MOD_REPLACE, "nothing", [b"x"])]),
        lambda: connection.extop_s(ldap.extop.ExtendedRequest("1.2.3.4.5", b"x")),
        lambda: connection.search_s(f"cn=x,ou=elsewhere,{people.partition(',')[2]}", ldap.SCOPE_BASE),
    ]
    said = []
    for attempt in attempts:
        try:
            said.append(attempt())
        except ldap.LDAPError as fault:
            said.append([type(fault).__name__, fault.args[0]])
    return said


def main() -> None:
    """Do it all."""
    given = json.loads(sys.argv[1])
    people = given["people"]
    connection = connect(given)
    tasks: dict[str, Callable[[], object]] = {
        "who am I": lambda: connection.whoami_s(),
        "pages": lambda: read_pages(connection, people, given.get("naming", "uid")),
        "sorted": lambda: read_sorted(connection, people),
        "pipelined": lambda: pipeline(connection, people, given.get("naming", "uid")),
        "changes": lambda: change(connection, people),
        "password": lambda: change_password(connection, given),
        "refusals": lambda: meet_refusals(connection, people),
        "abandoned": lambda: give_up(connection, people),
    }
    for name in given.get("tasks", tasks):
        print(json.dumps([name, repr(tasks[name]())]))
    connection.unbind_s()


main()
