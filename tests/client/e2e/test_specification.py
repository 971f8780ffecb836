"""What spec/07-client.md 7.3, 7.9, 7.17 and 7.18 list of message bodies and of views, against the types."""

import dataclasses
import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from mixnet.client.e2e import anonymous_bodies, bodies
from mixnet.client.model.code_states import CodeInfo
from mixnet.client.model.group_views import GroupInfo, GroupMember
from mixnet.client.model.match_states import MatchInfo, MatchStatus
from mixnet.client.model.views import (
    AddressInfo,
    ContactInfo,
    CorrespondentInfo,
    DeviceInfo,
    MessageInfo,
    Transfer,
)

CHAPTER = (Path(__file__).parents[3] / "spec" / "07-client.md").read_text(encoding="utf-8")
VIEWS = {
    "contact": (ContactInfo,),
    "message": (MessageInfo,),
    "transfer": (Transfer,),
    "code": (CodeInfo,),
    "matching": (MatchStatus, MatchInfo),
    "device": (DeviceInfo,),
    "address": (AddressInfo,),
    "correspondent": (CorrespondentInfo,),
    "group": (GroupInfo, GroupMember),
}
BODIES = [*get_args(bodies.Body), *get_args(anonymous_bodies.AnonymousBody)]


def listed(view: str) -> list[str]:
    """The fields that the chapter lists of a view; what stands in brackets says more about the one before."""
    text = re.search(rf"(?m)(?:^|\. ){view}: ((?:`.*\n?)(?:.+\n)*)", CHAPTER)[1]
    if view == "group":  # the fields of a member are in brackets
        return re.findall(r"`([a-z_]+)`", re.sub(r"\((?:here|`invited`[^)]*)\)", "", text).split(". ")[0])
    while (less := re.sub(r"\([^()]*\)", "", text)) != text:
        text = less
    return re.findall(r"`([a-z_]+)`", re.split(r"\.\s", text)[0])


@pytest.mark.parametrize("view", VIEWS)
def test_the_specification_lists_the_fields_of_each_view(view):
    fields = [field.name for kind in VIEWS[view] for field in dataclasses.fields(kind)]
    assert listed(view) == fields


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_the_specification_lists_each_body_with_its_tag(body):
    tag, fields = body.__struct_config__.tag, msgspec.structs.fields(body)
    begin = rf"\b{tag}\s{body.__name__}\b"
    found = re.search(rf"{begin}\(([^()]*(?:\([^()]*\)[^()]*)*)\)" if fields else rf"{begin}(?!\()", CHAPTER)
    assert found, f"spec/07-client.md 7.3 has no `{tag} {body.__name__}(…)`: list it with its {len(fields)} fields"
    named = re.split(r"[,;]\s", found[1]) if fields else []
    named = [one for one in named if not re.match(r"at\smost", one)]
    assert len(named) == len(fields), f"spec/07-client.md 7.3 lists {named} of {body.__name__}"


def test_there_are_bodies_and_their_tags_are_their_own():
    tags = [body.__struct_config__.tag for body in BODIES]
    assert len(tags) > 25
    assert len(set(tags)) == len(tags)
