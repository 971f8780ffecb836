"""The checks of the catalogue run, find nothing, and would find something."""

from dataclasses import replace

import pytest

from mixnet.benchmarks.threats import checks
from mixnet.benchmarks.threats.scenario import LATER, TEXT
from mixnet.benchmarks.threats.shape import never, shown
from mixnet.errors import LocalError

pytestmark = pytest.mark.timeout(300)


def value(finding):
    assert finding.credible, finding.controls
    return finding.figures[0].estimate.value


def test_all_pass_and_each_tried_something(seen, monkeypatch):
    monkeypatch.setattr(checks, "live", lambda _seed: seen)
    findings = checks.run()
    assert {finding.name: value(finding) for finding in findings} == dict.fromkeys(
        ["impostors", "documents", "trespass_frames", "trespass_mailboxes", "trespass_directory", "trespass_people",
         "plaintext", "tampering", "appearance", "privileges", "metadata", "deniability", "erasure",
         "delivery", "archive"], 0.0
    )  # fmt: skip
    answered = {threat for finding in findings for threat in finding.threats}
    assert {"T1", "T2", "T3", "T5", "P2", "P4", "P5", "P6", "F1", "F2", "F5"} <= answered


def test_nothing_tried_is_an_error():
    for make in (never, shown):
        with pytest.raises(LocalError, match="nothing was tried"):
            make(*(("key", "what") if make is never else ("what",)), 0, 0)


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
    assert value(checks.documents(seen.directory)) > 0


def test_mail_that_is_left_would_show(seen, monkeypatch):
    monkeypatch.setattr("mixnode.mailboxes.Mailboxes.perform", _keep_everything(checks.Mailboxes.perform))
    assert value(checks.erasure(seen)) > 0


def _keep_everything(perform):
    def instead(self, operations, limits, now):
        kept = [one for one in operations if isinstance(one, checks.Open | checks.StorePacket)]
        return perform(self, kept, limits, now)

    return instead


def test_bytes_that_go_on_as_they_are_would_show(monkeypatch):
    """Break: a hop leaves the last bytes of a packet alone."""
    step = checks.passed_on
    monkeypatch.setattr(checks, "passed_on", lambda secret, packet: step(secret, packet)[:-8] + packet[-8:])
    assert value(checks.appearance()) == 1


def test_a_packet_that_is_delivered_modified_would_show(monkeypatch):
    read = checks.delivered
    monkeypatch.setattr(checks, "delivered", lambda secrets, packet: read(secrets, packet) or b"pay 99 to bob")
    assert value(checks.tampering()) > 0.9
