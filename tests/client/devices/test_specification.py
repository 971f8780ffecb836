"""What spec/07-client.md 7.16 lists of records, requests and messages between devices, against the types."""

import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from mixnet.client.devices.bodies import DeviceVerb, GroupMessageRecord, Message, MessageRecord, Record

CHAPTER = (Path(__file__).parents[3] / "spec" / "07-client.md").read_text(encoding="utf-8")
SECTION = CHAPTER[CHAPTER.index("### 7.16") : CHAPTER.index("### 7.17")]
KINDS = [*get_args(Message), *get_args(Record), *get_args(DeviceVerb)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_specification_lists_each_with_its_tag_and_fields(kind):
    tag, fields = kind.__struct_config__.tag, len(msgspec.structs.fields(kind))
    found = re.search(rf"\b{tag} {kind.__name__}\(([^()]*)\)", SECTION)
    assert found, f"spec/07-client.md 7.16 has no `{tag} {kind.__name__}(…)`: list it with its {fields} fields"
    named = [one for one in re.split(r",\s+", found[1]) if one and not one.startswith("at most")]
    if kind is GroupMessageRecord:  # "as MessageRecord, with ..., then ..."
        fields -= len(msgspec.structs.fields(MessageRecord)) - len(named[:2])
    assert len(named) == fields, f"spec/07-client.md 7.16 lists {named} of {kind.__name__}, which has {fields} fields"


def test_the_tags_of_each_union_are_its_own():
    for union in (Message, Record, DeviceVerb):
        tags = [kind.__struct_config__.tag for kind in get_args(union)]
        assert len(tags) > 4
        assert len(set(tags)) == len(tags)
