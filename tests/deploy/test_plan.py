from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.deploy.plan import SUBNETS, LocalPlan, MemberKind, subnets
from mixnet.errors import LocalError

counts = st.integers(1, 8)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 3), counts, counts, counts, st.integers(1, SUBNETS))
def test_every_member_has_a_name_and_an_address_of_its_own(layers, width, providers, authorities, subnet) -> None:
    plan = LocalPlan(layers=layers, width=width, providers=providers, authorities=authorities, subnet=subnet).check()
    members = plan.members()
    assert len({member.name for member in members}) == len({member.address for member in members}) == len(members)
    assert all(member.host.startswith(f"127.0.{subnet}.") for member in members)
    kinds = [member.kind for member in members]
    assert kinds.count(MemberKind.MIX) == layers * width
    assert kinds.count(MemberKind.PROVIDER) == providers
    assert kinds.count(MemberKind.AUTHORITY) == authorities
    assert msgspec.convert(msgspec.to_builtins(plan), LocalPlan).members() == members


def test_the_default_network_has_eleven_nodes() -> None:
    assert len(LocalPlan().members()) == 11


@pytest.mark.parametrize(
    "wrong",
    [
        {"layers": 0},
        {"layers": 4},
        {"width": 0},
        {"providers": 0},
        {"authorities": -1},
        {"threshold": 1},
        {"threshold": 4},
        {"width": 60},
        {"epoch": 0.5},
        {"epoch": float("nan")},
        {"workers": -1},
        {"workers": 9},
        {"port": 0},
        {"port": 70000},
    ],
)
def test_an_impossible_network_is_refused_with_the_option_to_change(wrong) -> None:
    with pytest.raises(LocalError, match=rf"--{next(iter(wrong))}|too many"):
        LocalPlan(**wrong).check()


def test_each_folder_tries_every_subnet_once_in_its_own_order() -> None:
    one, other = list(subnets(Path("/a"))), list(subnets(Path("/b")))
    assert sorted(one) == sorted(other) == list(range(1, SUBNETS + 1))
    assert one != other
    assert one == list(subnets(Path("/a")))
