"""The checks of the catalogue run, find nothing, and would find something."""

from dataclasses import replace

import pytest

from benchmarks.threats import checks
from benchmarks.threats.village import LATER, TEXT, live

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def seen():
    return live(1)


def value(finding):
    assert finding.credible, finding.controls
    return finding.figures[0].estimate.value


def test_all_pass_and_each_tried_something(seen):
    findings = [checks.impostors(seen), checks.documents(seen.papers), checks.plaintext(seen), checks.tampering(),
                checks.privileges(seen), checks.metadata(seen), checks.erasure(), checks.delivery(seen)]  # fmt: skip
    assert {finding.name: value(finding) for finding in findings} == dict.fromkeys(
        ["impostors", "documents", "plaintext", "tampering", "privileges", "metadata", "erasure", "delivery"], 0.0
    )
    assert all(finding.figures[0].estimate.high < 1 for finding in findings)


def test_an_impostor_would_show(seen):
    assert value(checks.impostors(replace(seen, impostors=[True, *seen.impostors[1:]]))) > 0


def test_a_link_without_a_right_to_it_would_show(seen):
    visits = [(what, allowed, True) for what, allowed, _ in seen.visits]
    assert value(checks.privileges(replace(seen, visits=visits))) == 1


@pytest.mark.parametrize("where", ["wire", "disks"])
def test_plain_text_would_show(seen, where):
    data = bytes(getattr(seen, where)) + TEXT.encode()[5:40]
    assert value(checks.plaintext(replace(seen, **{where: data}))) > 0


def test_a_named_client_would_show(seen):
    key = next(iter(seen.clients.values()))
    assert value(checks.metadata(replace(seen, logs=[*seen.logs, f"refused {key.hex()}"]))) > 0


def test_a_lost_message_would_show(seen):
    finding = checks.delivery(replace(seen, arrived=[text for text in seen.arrived if text != LATER]))
    assert finding.figures[0].estimate.value > 0


def test_a_document_without_a_majority_would_show(seen, monkeypatch):
    monkeypatch.setattr("mixnet.pki.document._check_signatures", lambda *_: None)
    assert value(checks.documents(seen.papers)) > 0


def test_mail_that_is_left_would_show(monkeypatch):
    monkeypatch.setattr("mixnode.mailboxes.Mailboxes.perform", _keep_everything(checks.Mailboxes.perform))
    assert value(checks.erasure()) > 0


def _keep_everything(perform):
    def instead(self, operations, limits, now):
        kept = [one for one in operations if isinstance(one, checks.Open | checks.Store)]
        return perform(self, kept, limits, now)

    return instead


def test_a_packet_that_is_delivered_modified_would_show(monkeypatch):
    read = checks._read
    monkeypatch.setattr(checks, "_read", lambda secrets, packet: read(secrets, packet) or b"pay 99 to bob")
    assert value(checks.tampering()) > 0.9
