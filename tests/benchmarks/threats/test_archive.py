"""The archive is searched and stays closed; without its encryption, or its index, the check says so."""

from dataclasses import replace
from unittest.mock import patch

from mixnet.benchmarks.threats import archive
from mixnet.client.storage.messages import MessageTable


def values(found):
    return {figure.key: figure.estimate.value for figure in found.figures}


def test_all_is_found_and_nothing_lies_open(seen):
    found = archive.archive(seen)
    assert found.credible
    assert set(values(found).values()) == {0}
    assert len(seen.searches) == 10


def test_a_search_that_misses_something_would_show(seen):
    words, expected, _ = seen.searches[0]
    found = archive.archive(replace(seen, searches=[(words, expected, []), *seen.searches[1:]]))
    assert values(found)["archive_wrong"] == 0.1
    assert not archive.archive(replace(seen, searches=[(*one[:2], []) for one in seen.searches])).credible


def test_a_store_in_clear_would_show(seen):
    with patch("mixnet.client.storage.database._unlock", archive._unlock_nothing):
        found = values(archive.archive(seen))
    assert found["archive_plaintext"] == found["archive_opened"] == 1


def test_an_archive_that_forgets_would_show(seen):
    with patch.object(MessageTable, "add", lambda *_: 1):
        assert not archive.archive(seen).credible
