"""Names of attributes: our own files, numbers, and the administrator's files."""

from __future__ import annotations

import time

import pytest

from duoproxy.radius.attributes import AttributeId, Type, vendor_attribute
from duoproxy.radius.dictionary import (
    AttributeDefinition,
    Dictionary,
    DictionaryError,
    Encryption,
    VendorFormat,
    load_dictionary,
)


def known(dictionary: Dictionary, name: str) -> AttributeDefinition:
    """A definition that the test knows to be there."""
    found = dictionary.find(name)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def ours() -> Dictionary:
    return load_dictionary()


def test_every_type_with_a_constant_has_its_name(ours):
    """Each `Type` is in the dictionary under the name of its RFC."""
    for each in Type:
        assert ours.name_of(AttributeId(0, each)).upper().replace("-", "_") == each.name


@pytest.mark.parametrize(
    ("name", "vendor", "number", "data_type"),
    [
        ("User-Name", 0, 1, "string"),
        ("Calling-Station-Id", 0, 31, "string"),
        ("NAS-IP-Address", 0, 4, "ipaddr"),
        ("Error-Cause", 0, 101, "integer"),
        ("Framed-IPv6-Address", 0, 168, "ipv6addr"),
        ("Cisco-AVPair", 9, 1, "string"),
        ("CVPN3000-Simultaneous-Logins", 3076, 2, "integer"),
        ("ASA-Group-Policy", 3076, 25, "string"),
        ("ASA-TunnelGroupName", 3076, 146, "string"),
        ("Juniper-Local-User-Name", 2636, 1, "string"),
        ("NS-User-Group", 3224, 3, "string"),
        ("MS-CHAP2-Success", 311, 26, "octets"),
        ("PaloAlto-Admin-Role", 25461, 1, "string"),
        ("PaloAlto-Client-Source-IP", 25461, 7, "string"),
        ("PaloAlto-GlobalProtect-Client-Version", 25461, 10, "string"),
    ],
)
def test_names_of_the_rfcs_and_of_four_vendors(ours, name, vendor, number, data_type):
    """Attributes that configurations name are known, in any case."""
    for spelling in (name, name.lower(), f" {name.upper()} "):
        found = ours.find(spelling)
        assert found is not None
        assert (found.name, found.attribute_id, found.data_type) == (name, AttributeId(vendor, number), data_type)


def test_hidden_values_are_marked(ours):
    """The dictionary says which values are hidden, and how."""
    hidden = {name for name in ours.names() if ours.find(name).encrypt is not Encryption.NONE}
    assert hidden == {"User-Password", "Tunnel-Password", "MS-MPPE-Send-Key", "MS-MPPE-Recv-Key", "MS-CHAP-MPPE-Keys"}
    tunnel_password = ours.find("Tunnel-Password")
    assert (tunnel_password.encrypt, tunnel_password.has_tag) == (Encryption.TUNNEL_PASSWORD, True)


def test_number_notations_find_known_and_unknown_attributes(ours):
    """`26` and `25461:7` work everywhere; numbers without a name are octets."""
    assert ours.find("1").name == "User-Name"
    assert ours.find("25461:7").name == "PaloAlto-Client-Source-IP"
    assert ours.find("0:1") is None
    assert ours.find("200") == AttributeDefinition("200", AttributeId(0, 200))
    assert ours.find("32473:1") == AttributeDefinition("32473:1", AttributeId(32473, 1))
    assert ours.find("32473:0") == AttributeDefinition("32473:0", AttributeId(32473, 0))


@pytest.mark.parametrize(
    "name",
    ["", "0", "256", "-1", "9:256", "9:", ":9", "9:1:1", "4294967296:1", "99999999999", "1.5", "No-Such-Name", "²"],
)
def test_what_is_neither_name_nor_number_finds_nothing(ours, name):
    """An unknown name, and a number that no attribute can have."""
    assert ours.find(name) is None


def test_name_of_a_number_finds_it_again(ours):
    """Whatever `name_of` gives, `find` takes."""
    for attribute_id in (AttributeId(0, 1), AttributeId(0, 250), AttributeId(9, 1), AttributeId(12356, 9)):
        assert ours.find(ours.name_of(attribute_id)).attribute_id == attribute_id


def test_suggestions_for_a_misspelt_name(ours):
    """A near name is offered; a strange one is not."""
    assert ours.suggestions("Cisco-AVPiar")[0] == "Cisco-AVPair"
    assert "PaloAlto-Client-Source-IP" in ours.suggestions("paloalto-client-ip")
    assert len(ours.suggestions("Framed-IP-Adress")) <= 3
    assert ours.suggestions("zzzz") == []


def write(folder, text: str, name: str = "dictionary.mine"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_file_of_an_administrator_adds_a_vendor(tmp_path):
    """Names of a file given with dictionary_file are known beside ours."""
    file = write(
        tmp_path,
        """
        # Fortinet
        VENDOR          Fortinet        12356
        BEGIN-VENDOR    Fortinet
        ATTRIBUTE       Fortinet-Group-Name     1       string  # a comment
        ATTRIBUTE       Fortinet-Kind           0x0a    integer
        VALUE           Fortinet-Kind           Odd     0x01
        VALUE           Fortinet-Kind           Even    2
        END-VENDOR      Fortinet
        VALUE           Service-Type            Ours    99
        """,
    )
    dictionary = load_dictionary(file)
    assert known(dictionary, "fortinet-group-name").attribute_id == AttributeId(12356, 1)
    assert known(dictionary, "Fortinet-Kind").attribute_id == AttributeId(12356, 10)
    assert dict(known(dictionary, "12356:10").values) == {1: "Odd", 2: "Even"}
    assert known(dictionary, "Service-Type").values[99] == "Ours"
    assert known(dictionary, "Service-Type").values[2] == "Framed-User"


def test_later_file_renames_and_the_old_name_still_finds(tmp_path):
    """An administrator's name for a number of ours is shown; ours is still taken."""
    dictionary = load_dictionary(write(tmp_path, "ATTRIBUTE Unix-FTP-UID 18 string\n"))
    assert dictionary.name_of(AttributeId(0, 18)) == "Unix-FTP-UID"
    assert known(dictionary, "Reply-Message").attribute_id == AttributeId(0, 18)


def test_included_files_are_looked_for_beside_the_including_one(tmp_path):
    """$INCLUDE is relative to the file it stands in; an absolute path is one."""
    other = write(tmp_path, "ATTRIBUTE Third 203 string\n", "else/third")
    write(tmp_path, f"$INCLUDE second\n$INCLUDE {other}\n", "inner/first")
    write(tmp_path, "ATTRIBUTE Second 202 string\n", "inner/second")
    dictionary = load_dictionary(write(tmp_path, "$INCLUDE inner/first\n"))
    assert known(dictionary, "second").attribute_id.number == 202
    assert known(dictionary, "third").attribute_id.number == 203


def test_format_of_a_vendor_is_kept(tmp_path):
    """VENDOR … format= gives the sizes of its type and length fields, and numbers that fit them."""
    text = "VENDOR Starent 8164 format=2,2\nBEGIN-VENDOR Starent\nATTRIBUTE SN-X 300 string\nEND-VENDOR Starent\n"
    dictionary = load_dictionary(write(tmp_path, text))
    assert dictionary.vendor_format(8164) == VendorFormat(2, 2)
    assert known(dictionary, "SN-X").attribute_id == AttributeId(8164, 300)
    assert known(dictionary, "8164:301").attribute_id == AttributeId(8164, 301)
    assert dictionary.vendor_format(9) == VendorFormat()


def test_what_a_login_cannot_use_is_read_and_left_out(tmp_path):
    """Attributes inside attributes and the numbers that servers keep for themselves are no error."""
    file = write(
        tmp_path,
        """
        ATTRIBUTE   Auth-Type       1000    integer
        VALUE       Auth-Type       Local   0
        ATTRIBUTE   Ext             241     extended
        ATTRIBUTE   Ext-Inner       241.1   integer
        ATTRIBUTE   Outer           250     tlv
        BEGIN-TLV   Outer
        ATTRIBUTE   Inner           1       string
        END-TLV     Outer
        ATTRIBUTE   Sized           251     octets[16]
        """,
    )
    dictionary = load_dictionary(file)
    assert [dictionary.find(name) for name in ("Auth-Type", "Ext-Inner", "Inner")] == [None, None, None]
    assert known(dictionary, "Outer").attribute_id.number == 250
    assert known(dictionary, "Sized").data_type == "octets"


def test_vendor_at_the_end_of_the_line_is_the_older_format(tmp_path):
    """`ATTRIBUTE name number type vendor` is read too."""
    dictionary = load_dictionary(write(tmp_path, "VENDOR Acme 4711\nATTRIBUTE Acme-X 3 string Acme\n"))
    assert known(dictionary, "Acme-X").attribute_id == AttributeId(4711, 3)


def test_line_of_a_closed_file_is_not_quoted(tmp_path):
    """Whoever may write into a configuration has root read no file aloud by calling it a dictionary."""
    path = write(tmp_path, "root:$6$salt$hash:19000:0:99999:7:::")
    path.chmod(0o640)
    including = tmp_path / "outer"
    including.write_text(f"$INCLUDE {path}")
    for file in (path, including):
        with pytest.raises(DictionaryError) as caught:
            load_dictionary(file)
        assert f"{path}:1: no line of a dictionary" in str(caught.value)
        assert "salt" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("\n\nATRIBUTE X 1 string", 3, "'ATRIBUTE' is no keyword"),
        ("ATTRIBUTE X 1", 1, "too short: write ATTRIBUTE NAME NUMBER TYPE"),
        ("ATTRIBUTE X one string", 1, "'one' is no number"),
        ("ATTRIBUTE X 1 sting", 1, "'sting' is no data type"),
        ("ATTRIBUTE X 1 string has_tags", 1, "'has_tags' is no flag"),
        ("ATTRIBUTE X 1 string encrypt=9", 1, "'encrypt=9' is no flag"),
        ("VALUE X Y 1", 1, "VALUE of 'X', which no ATTRIBUTE line names"),
        ("VALUE Service-Type Y one", 1, "'one' is no number"),
        ("VENDOR V 0", 1, "0 is no Vendor-Id"),
        ("VENDOR V 0x" + "f" * 4000, 1, "…' is too long for a number"),
        ("\nATTRIBUTE \x1b[31mX 1 string", 2, "there is a character in the line that cannot be printed"),
        ("$INCLUDE a\0b", 1, "there is a character in the line that cannot be printed"),
        ("X" * 5000, 1, f"'{'X' * 60}…' is no keyword"),
        ("VENDOR V 9 format=3,1", 1, "'format=3,1' is no vendor format"),
        ("BEGIN-VENDOR V", 1, "no VENDOR line names 'V'"),
        ("VENDOR V 9\nBEGIN-VENDOR V\nBEGIN-VENDOR V", 3, "BEGIN-VENDOR inside BEGIN-VENDOR V"),
        ("END-VENDOR V", 1, "END-VENDOR V without its BEGIN-VENDOR"),
        ("END-TLV T", 1, "END-TLV T without its BEGIN-TLV"),
        ("VENDOR V 9\nBEGIN-VENDOR V\nATTRIBUTE X 256 string", 3, "the highest is 255"),
        ("$INCLUDE missing", 1, "'missing' cannot be read: No such file or directory"),
        ("$INCLUDE dictionary.mine", 1, "does 'dictionary.mine' include itself?"),
    ],
)
def test_bad_line_is_named_with_file_and_line(tmp_path, text, line, what):
    """A line that cannot be used is an error with file, line and what is wrong."""
    file = write(tmp_path, text)
    with pytest.raises(DictionaryError) as caught:
        load_dictionary(file)
    assert (caught.value.file, caught.value.line) == (str(file), line)
    assert what in caught.value.what
    assert str(caught.value) == f"{file}:{line}: {caught.value.what}"


def test_file_without_end_is_refused_without_reading_it(tmp_path):
    """At most `MAX_FILE_BYTES` are read, also of a device that never ends."""
    with pytest.raises(DictionaryError, match=r"'zero' is too long") as caught:
        load_dictionary(write(tmp_path, "$INCLUDE /dev/zero"))
    assert caught.value.line == 1


def test_names_of_very_many_numbers_take_no_longer_each(tmp_path):
    """A file of the longest kind is read in seconds: the work is linear in its lines."""
    count = 100_000
    lines = [f"VALUE X V{number} {number}" for number in range(count)]
    began = time.process_time()
    dictionary = load_dictionary(write(tmp_path, "\n".join(["ATTRIBUTE X 241 integer", *lines])))
    assert len(known(dictionary, "X").values) == count
    assert time.process_time() - began < 20


def test_missing_file_is_named(tmp_path):
    """A file that is not there is an error about the file as a whole."""
    with pytest.raises(DictionaryError, match=r"nowhere: 'nowhere' cannot be read"):
        load_dictionary(tmp_path / "nowhere")


def test_debug_lines_show_names_and_values(ours):
    """Attributes are shown by name, those of a vendor each on its own line, numbers with their names."""
    attributes = [
        (1, b"alice"),
        (4, bytes((10, 0, 0, 1))),
        (6, b"\0\0\0\x02"),
        (5, b"\0\0\0\x07"),
        (26, b"\0\0\0\x09\x01\x09a=b"),
        (26, b"\0\0\0\x09\x01\x05a=b\x01\x05c=d"),
        (26, b"\0\0\x7e\xd9\x01\x04vi"),
        (64, b"\x01\0\0\x0d"),
        (81, b"\x0142"),
        (81, b"42"),
        (200, b"\x00\x01"),
        (24, b""),
    ]
    assert ours.format_attributes(attributes) == [
        'User-Name = "alice"',
        "NAS-IP-Address = 10.0.0.1",
        "Service-Type = Framed-User (2)",
        "NAS-Port = 7",
        "Vendor-Specific = 0x000000090109613d62",
        'Cisco-AVPair = "a=b"',
        'Cisco-AVPair = "c=d"',
        "32473:1 = 0x7669",
        "Tunnel-Type = [tag 1] VLAN (13)",
        'Tunnel-Private-Group-Id = [tag 1] "42"',
        'Tunnel-Private-Group-Id = "42"',
        "200 = 0x0001",
        "State = (empty)",
    ]


def test_secrets_are_masked(ours):
    """Passwords, keys and what they could be guessed from are never shown."""
    attributes = [(2, b"h" * 16), (3, b"c" * 17), (69, b"t" * 20), (70, b"a" * 16), (103, b"d" * 32)]
    attributes += [vendor_attribute(311, number, b"s" * 50) for number in (1, 5, 6, 16, 17, 25)]
    lines = ours.format_attributes(attributes)
    assert len(lines) == 11
    assert all(line.endswith(" = *****") for line in lines)


def test_what_a_server_says_of_a_refused_proof_is_shown(ours):
    """MS-CHAP-Error says why, and is no credential though it is named like one; so is MS-CHAP-Domain."""
    attributes = [vendor_attribute(311, 2, b"\1E=648 R=0 V=3"), vendor_attribute(311, 10, b"\1CORP")]
    assert ours.format_attributes(attributes) == [
        'MS-CHAP-Error = "\\x01E=648 R=0 V=3"',
        'MS-CHAP-Domain = "\\x01CORP"',
    ]


def test_secrets_are_masked_whatever_a_file_calls_them(tmp_path):
    """A dictionary of the administrator's may rename User-Password; what it holds stays hidden."""
    file = tmp_path / "dictionary.acme"
    file.write_text(
        "ATTRIBUTE Login-Word 2 string\nVENDOR Microsoft 311\nBEGIN-VENDOR Microsoft\n"
        "ATTRIBUTE MS-Answer 25 octets\nEND-VENDOR Microsoft\n",
        "utf-8",
    )
    lines = load_dictionary(file).format_attributes([(2, b"correct horse"), vendor_attribute(311, 25, b"s" * 50)])
    assert lines == ["Login-Word = *****", "MS-Answer = *****"]


def test_user_name_cannot_forge_a_line(ours):
    """Control characters, quotes and broken UTF-8 are escaped, long values cut."""
    shown = ours.format_attributes([(1, b'a\r\nb"\\\x1b[31m\xff' + "ü\u202e\u2028".encode())])
    assert shown == ['User-Name = "a\\r\\nb\\"\\\\\\x1b[31m\\\\xffü\\u202e\\u2028"']
    [long_line] = ours.format_attributes([(1, b"x" * 253)])
    assert long_line == 'User-Name = "' + "x" * 128 + '"… (253 octets)'


def test_value_of_a_wrong_size_is_shown_as_octets(ours):
    """An invalid attribute is no reason to complain: it is shown as it came."""
    attributes = [(4, b"\x0a\0\0"), (6, b"\x02"), (55, b"\0"), (95, b"\0" * 4), (97, b"\0"), (64, b"\x01")]
    assert [line.split(" = ")[1] for line in ours.format_attributes(attributes)] == [
        "0x0a0000",
        "0x02",
        "0x00",
        "0x00000000",
        "0x00",
        "[tag 1] 0x00",
    ]


def test_addresses_prefixes_and_dates(ours):
    """IPv6 addresses, prefixes and dates have their usual text form."""
    attributes = [
        (95, bytes(15) + b"\x01"),
        (97, b"\x00\x20\x20\x01\x0d\xb8"),
        (55, (1_700_000_000).to_bytes(4, "big")),
    ]
    assert ours.format_attributes(attributes) == [
        "NAS-IPv6-Address = ::1",
        "Framed-IPv6-Prefix = 2001:db8::/32",
        "Event-Timestamp = 2023-11-14 22:13:20 UTC",
    ]
