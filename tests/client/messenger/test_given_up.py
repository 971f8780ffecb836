"""What is said of a message that was given up: nobody is told to send again what may have arrived."""

import ast
from pathlib import Path

from mixnet import client
from mixnet.client.e2e.bodies import REASONS, REASONS_HERE
from mixnet.client.model import failures
from mixnet.client.model.failures import GivenUp, expired_in_group

ALL = [one for one in vars(failures).values() if isinstance(one, GivenUp)] + [expired_in_group(1, 2)]


def test_what_has_left_is_never_to_be_sent_again_and_what_has_not_is_sure_to_be_nowhere():
    assert len(ALL) > 5
    for one in ALL:
        assert "again" not in one.sent and ("may" in one.sent)
        assert "may" not in one.unsent
    assert not any("send it again" in text for text in REASONS_HERE.values()), "who waits for it can't send it"
    assert set(REASONS) == set(REASONS_HERE)


def test_every_other_text_that_tells_to_send_again_is_of_what_is_sure_to_be_nowhere():
    """The list of them: a new one is looked at before it stands here."""
    where = set()
    for path in Path(client.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "send it again" in node.value.lower():
                where.add(path.name)
    assert where <= {"failures.py", "bodies.py", "attestations.py", "mailbox.py"}
