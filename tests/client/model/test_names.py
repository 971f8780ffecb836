# ruff: noqa: RUF001  # look-alikes
import pytest
from homoglyph.data import load_prototypes
from hypothesis import given
from hypothesis import strategies as st

from mixnet.client.model.errors import BadName
from mixnet.client.model.group_views import GroupState
from mixnet.client.model.names import (
    NAME_LIMIT,
    Names,
    alike,
    check_name,
    check_sent,
    clean,
    free_for_user,
    is_sign,
    look_alikes,
    looks,
    numbered,
    our_words,
    same,
    skeleton,
)
from mixnet.client.model.views import ContactState, DeviceRole, DeviceState, MessageState
from mixnet.letters import cells, composed, decomposed, is_hidden, without_hidden
from tests.client.worlds.names import HOSTILE, KNOWN

NAMES = st.text(max_size=80) | st.text(st.sampled_from("aAlI10Oоο ()2-/\u0301\u3164\u200dé"), max_size=12)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("paypal", "раураl"),
        ("alice", "AIice"),
        ("carol", "car0l"),
        ("mary", "rnary"),
        ("Anna Lee", "annalee"),
        ("café", "cafe\u0301"),
        ("вася", "ВАСЯ"),
        ("bob", "𝐛𝐨𝐛"),
        ("bob", "b\u034fob"),
    ],
)
def test_names_that_look_alike(one, other):
    assert alike(one, other) and alike(other, one)


@pytest.mark.parametrize(("one", "other"), [("alice", "alicia"), ("bob", "rob"), ("张伟", "张华"), ("", "a")])
def test_names_that_are_told_apart(one, other):
    assert not alike(one, other)


@given(st.text(max_size=40))
def test_a_skeleton_is_the_same_for_all_forms_of_a_text(text):
    assert skeleton(composed(text)) == skeleton(decomposed(text))
    assert not any(is_hidden(one) for one in skeleton(text))


@pytest.mark.parametrize("name", ["", " a", "a ", "a  b", "a\nb", "a\x1b[31mb", "a\u202eb", "x" * 65, "\u200b"])
@pytest.mark.parametrize("sign", ["", "/", ":", ",", "→", "(", "\u2215", "\u3164", "\u00ad", "\ue000"])
def test_names_that_a_user_may_not_give(name, sign):
    with pytest.raises(BadName):
        check_name(name + sign if sign else name)


@pytest.mark.parametrize(
    "name", ["-rf", "you", "ME", "\u0301a", "a" + "\u0323" * 6, "a/b", "a: b", "x → y", "a [b]", "a`b"]
)
def test_names_that_stand_for_something_else(name):
    with pytest.raises(BadName) as caught:
        check_name(name)
    assert "choose another" in str(caught.value)


@pytest.mark.parametrize("name", ["bob", "O'Brien", "Anna-Lena", "Zoë", "张伟", "book club 2", "bob (2)", "👍", "ไทยกู้"])
def test_names_that_a_user_may_give(name):
    assert check_name(name) == composed(name)


MARKS = [*our_words(), "verified", "blocked", "signed", "revoked", "anonymous-3f2a", "address-1", "(2)", "a (you)"]


@pytest.mark.parametrize("mark", MARKS)
def test_what_our_output_uses_as_a_mark_is_nobodys_name(mark):
    for said in (mark, mark.upper()):
        with pytest.raises(BadName, match="choose another"):
            check_name(said)
    shown = Names([]).free(mark)
    assert shown.casefold() not in MARKS
    assert check_name(shown) == shown  # as it is marked it may be kept


def test_states_that_are_shown_are_words_of_ours():
    for state in (*ContactState, *MessageState, *GroupState, *DeviceState, *DeviceRole):
        assert state.value in our_words()


@pytest.mark.parametrize("name", ["alice", "AIice", "\u0430lice", "Alice"])
def test_nobody_is_called_as_the_user_is(name):
    with pytest.raises(BadName, match="your own name"):
        check_name(name, "alice")
    assert check_name(name + "x", "alice")


def test_the_reason_says_what_is_wrong_with_each_sign():
    for sign in '/\\:;,|<>[](){}"`→':
        with pytest.raises(BadName) as caught:
            check_name(f"a{sign}b")
        assert (
            str(caught.value)
            == f"a name has no {sign} in it, which means something in what is shown: choose another one"
        )


@given(NAMES)
def test_what_a_user_may_give_is_left_as_it_is_by_those_who_get_it(name):
    try:
        good = check_name(name)
    except BadName:
        return
    assert check_sent(good) == good == check_name(good) == composed(good)
    if "(" not in good:
        assert clean(good) == good


@given(NAMES)
def test_what_others_chose_is_clean(name):
    made = clean(name)
    assert 0 < len(made) <= NAME_LIMIT and cells(made) <= NAME_LIMIT
    assert without_hidden(made) == made and not any(map(is_sign, made))
    assert made == clean(made) == " ".join(made.split()) == composed(made)
    assert not made.startswith("-")


@given(st.lists(NAMES, max_size=8), NAMES)
def test_a_name_of_others_looks_like_none_in_use(others, wanted):
    names = Names(KNOWN)
    given_so_far = list(KNOWN)
    for name in [*others, wanted, wanted]:
        made = names.free(name)
        assert not any(alike(made, one) for one in given_so_far)
        assert len(made) <= NAME_LIMIT and cells(made) <= NAME_LIMIT
        names.take(made)
        given_so_far.append(made)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_marked_or_different(name):
    made = Names(KNOWN).free(name)
    assert not any(alike(made, known) for known in KNOWN)
    assert made == clean(name) or made.endswith(")")


@pytest.mark.parametrize(
    "word", ["you", "уоu", "YOU", "Anonymous", "anonymous-3f2a", "ano\u200bnymous-3f2a", "home", "al verified"]
)
def test_words_of_our_output_are_nobodys_name(word):
    assert Names([]).free(word).endswith(" (2)")


def test_a_name_that_once_was_somebodys_stays_his():
    once = looks("carol")
    assert Names([], once.__contains__).free("car0l") == "car0l (2)"


def test_nobody_can_choose_a_mark_of_ours():
    names = Names(["carol"])
    assert names.free("carol (2)") == "carol 2"
    names.take("carol 2")
    assert names.free("carol") == "carol (3)"


def test_a_users_own_choice_is_numbered_only_if_it_is_in_use():
    assert free_for_user("car0l", ["carol"]) == "car0l"
    assert free_for_user("café", ["cafe\u0301"]) == "café (2)"


def test_each_character_of_unicodes_table_looks_like_what_it_is_said_to_look_like():
    table = load_prototypes()
    assert len(table) > 6500
    # What this Python's Unicode doesn't know yet is cleaned away.
    known = [(chr(code), stands) for code, stands in table.items() if not any(map(is_hidden, chr(code) + stands))]
    shown = [(one, stands) for one, stands in known if same(one) == one]  # others are in no name, which is in NFC
    assert len(shown) > 5000
    # On its own: what joins with its neighbours in NFC is another character there.
    assert [one for one, stands in shown if not alike(f"b-{one}", f"b-{stands}")] == []


def test_who_looks_like_an_earlier_one_is_listed():
    assert look_alikes(["alice", "bob", "аlice", "AIice"]) == {"аlice": "alice", "AIice": "alice"}
    assert look_alikes(["alice", "bob"]) == {}


@pytest.mark.parametrize(
    "wanted",
    ["alice✓", "✓alice", "alice ✔", "alice☑", "alice √", "alice 🌸", "a̲lice", "ali̇ce", "ALİCE", "Ⓐⓛⓘⓒⓔ", "🄰lice"],
)
def test_signs_and_loose_marks_make_no_other_name(wanted):
    """What stands beside the letters, above or around them says nothing of who it is."""
    assert Names(["alice"]).free(wanted) == numbered(clean(wanted), 2)


@pytest.mark.parametrize("wanted", ["alice-verified", "alice—verified", "alice.verified", "verified✓", "x_blocked"])
def test_a_state_of_ours_is_marked_however_it_is_joined(wanted):
    assert Names([]).free(wanted) == numbered(clean(wanted), 2)


@pytest.mark.parametrize(("one", "other"), [("jose", "josé"), ("✓", "☑"), ("alice", "alicia"), ("कु", "क")])
def test_letters_that_have_their_marks_are_their_own(one, other):
    assert not alike(one, other)


@pytest.mark.parametrize("name", ["می‌خواهم", "👨‍👩‍👧 family", "葛󠄀", "❤️", "zed\U0001fabf", "\U0003fffd", "שלום", "क्‍ष"])
def test_names_as_people_write_them_are_names_whichever_unicode_knows_them(name):
    assert check_name(name) == check_sent(name) == clean(name) == Names([]).free(name) == name


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("caf\u00e9", "cafe\u0301"),
        ("می‌خواهم", "میخواهم"),
        ("❤️", "❤"),
        ("שלום", "\u2068שלום\u2069"),
        ("bob", "bo\u00adb"),
    ],
)
def test_spellings_of_one_name(one, other):
    assert same(one) == same(other)
    assert check_name(f"\u2068{one}\u2069") == one, "as it is copied from a terminal"


@pytest.mark.parametrize(
    "name", ["\u200d", "\u2067", "\u3164", "\u2800", "\ufe0f\ufe0f", "\U000e0061", "\u0301", "\ud800"]
)
def test_what_shows_nothing_is_no_name(name):
    with pytest.raises(BadName):
        check_name(name)
    assert clean(name) == "unnamed"


@pytest.mark.parametrize("name", ["a\nb", "a\x1b", "a\x9b", "a\ud800", "a\ufffe", "a\x7f", " a", "a ", "", "a" * 65])
def test_names_that_do_not_travel(name):
    with pytest.raises(BadName):
        check_sent(name)
