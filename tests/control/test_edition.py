"""An edition is plain data: it goes to another process and is the same there."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from pydantic import ValidationError

from appliance.control.edition import Edition
from tests.control.editions import editions


@settings(deadline=None)
@given(editions())
def test_it_survives_the_way_to_another_process(edition: Edition):
    assert edition.catalogue.resources is not None  # what is worked out from it does not travel
    assert Edition.model_validate_json(edition.model_dump_json(by_alias=True)) == edition


def test_what_a_newer_one_says_is_not_silently_left_out():
    with pytest.raises(ValidationError):
        Edition.model_validate({"version": 1, "more": True})
