"""Shared by all tests: one Hypothesis profile, without deadlines, since machines are shared."""

from hypothesis import HealthCheck, settings

settings.register_profile("mixnet", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("mixnet")
