"""Addresses have one form each; address books of every kind of hand give it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import (
    SUPPORTED_REGIONS,
    PhoneNumberFormat,
    PhoneNumberType,
    example_number_for_type,
    format_number,
)

from mixnet.client.model.address_entries import ENTRY_LIMIT, LABEL_LIMIT, Entry, normal, read
from mixnet.client.model.errors import BadAddress, NoEntries, TooManyEntries
from mixnet.letters import steers

CARDS = """BEGIN:VCARD
VERSION:3.0
N:Doe;Jane;;;
FN:Jane\\, the Doe
TEL;TYPE=CELL:+49 (30) 123-456 7
item1.EMAIL;TYPE=INTERNET,HOME:Jane@Exam
 ple.ORG
TEL:030 1234567
PHOTO;ENCODING=b:AAAA
 BBBB
END:VCARD
begin:vcard
tel;value=uri:tel:+44-20-7946-0018;ext=5
EMAIL:jane@example.org
fn:Joe
end:vcard
"""


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("  Bob@Example.ORG ", "bob@example.org"),
        ("mailto:bob+x@example.org", "bob+x@example.org"),
        ("+49 30 123 456 7", "+49301234567"),
        ("0049 (30) 1234-567", "+49301234567"),
        ("tel:+1-201-555-0123;ext=7", "+12015550123"),
        ("+49\u00a030\u20131234567", "+49301234567"),
        ("+44 (0)20 7946 0018", "+442079460018"),  # the zero is for callers inside the country
        ("+39 06 1234567", "+39061234567"),  # and here it belongs to the number
        ("+7 800 555 35 35", "+78005553535"),
        ("+52 1 55 1234 5678", "+5215512345678"),  # a form that is no longer given out
    ],
)
def test_one_form(written: str, form: str) -> None:
    assert normal(written) == form
    assert normal(form) == form


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bob",
        "030 1234567",
        "+0123456789",
        "+49",
        "a@b@c",
        "a b@c",
        "@x",
        "x@",
        "+4\u0663" * 5,
        "+999 1234567",
        "+49 30 1234567 home",
        "+1 800 FLOWERS",
    ],
)
def test_what_has_no_form(text: str) -> None:
    with pytest.raises(BadAddress):
        normal(text)


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=40) | st.from_regex(r"[+0][-0-9 ().]{5,20}", fullmatch=True) | st.emails())
def test_a_form_is_its_own_form(text: str) -> None:
    try:
        form = normal(text)
    except BadAddress:
        return
    assert normal(form) == form
    assert normal(f"\t{text} ") == form


def test_numbers_in_e164_keep_their_digits() -> None:
    """As the library has them: an example of each kind of number of each country."""
    examples = [
        format_number(example, PhoneNumberFormat.E164)
        for region in SUPPORTED_REGIONS
        for kind in PhoneNumberType.values()
        if (example := example_number_for_type(region, kind)) is not None
    ]
    people = [number for number in examples if len(number) > len("+123456")]  # the others are numbers of services
    assert len(people) > 1000
    assert [normal(number) for number in people] == people


def test_cards_of_several_programs() -> None:
    found = read(CARDS.replace("\n", "\r\n"))
    assert found.entries == (
        Entry("+49301234567", "Jane, the Doe"),
        Entry("jane@example.org", "Jane, the Doe"),
        Entry("+442079460018", "Joe"),
    )
    assert found.skipped == 1


def test_one_address_a_line() -> None:
    found = read("# friends\nBob@example.org  # from work\n\n+49 30 1234567\n030 12\nbob@example.org\n")
    assert [entry.address for entry in found.entries] == ["bob@example.org", "+49301234567"]
    assert found.skipped == 1


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=80) | st.lists(st.sampled_from(CARDS.splitlines()), max_size=20).map("\n".join))
def test_any_text_gives_normal_entries_or_says_why_not(text: str) -> None:
    try:
        found = read(text)
    except NoEntries:
        return
    addresses = [entry.address for entry in found.entries]
    assert len(set(addresses)) == len(addresses)
    assert all(normal(address) == address for address in addresses)
    assert all(
        len(entry.label) <= LABEL_LIMIT and (not entry.label or not any(map(steers, entry.label)))
        for entry in found.entries
    )


def test_too_many() -> None:
    with pytest.raises(TooManyEntries, match="501"):
        read("\n".join(f"{number}@example.org" for number in range(ENTRY_LIMIT + 1)))
