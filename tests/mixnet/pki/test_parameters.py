"""Parameters are in range, or they don't exist."""

from __future__ import annotations

import math

import msgspec
import pytest

from mixnet.pki.parameters import RANGES, BadParameters, Parameters, parameters_from


def test_every_parameter_has_a_range_and_the_defaults_are_in_it() -> None:
    assert set(RANGES) == set(Parameters.__struct_fields__)
    assert Parameters() == parameters_from({})


@pytest.mark.parametrize("name", sorted(RANGES))
def test_out_of_range_is_refused_by_name(name: str) -> None:
    low, high = RANGES[name]
    for value in (low - 1, high * 2 + 1, math.nan, math.inf):
        with pytest.raises(BadParameters, match=f"`{name}`"):
            msgspec.structs.replace(Parameters(), **{name: value})


def test_a_table_gives_what_it_names() -> None:
    assert parameters_from({"mean_delay": 1, "layers": 2}) == Parameters(mean_delay=1.0, layers=2)
    assert isinstance(parameters_from({"mean_delay": 1}).mean_delay, float)


@pytest.mark.parametrize(
    ("table", "named"),
    [({"mean_dealy": 1.0}, "mean_dealy"), ({"layers": 2.5}, "layers"), ({"loop_rate": "fast"}, "loop_rate")],
)
def test_a_mistake_in_a_table_is_named(table: dict[str, object], named: str) -> None:
    with pytest.raises(BadParameters, match=f"`{named}`"):
        parameters_from(table)


def test_what_follows_from_the_parameters() -> None:
    parameters = Parameters(payload_rate=3, loop_rate=2, drop_rate=1, mean_delay=1.0, link_latency=0.5)
    assert parameters.send_rate == 6
    assert parameters.path_delay == 4 * 1.0 + 5 * 0.5
