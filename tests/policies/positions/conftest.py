"""Two clusters of one broker each, for the session; nothing is copied between them."""

from __future__ import annotations

import pytest

from appliance.harness import BlockingLab, SharedLabs
from appliance.lab import ClusterPlan, LabPlan


@pytest.fixture(scope="session")
def two_clusters(shared_labs: SharedLabs) -> BlockingLab:
    """`primary` and `standby`, with MirrorMaker's own topics of both directions."""
    lab = shared_labs.open(LabPlan((ClusterPlan("primary"), ClusterPlan("standby"))))
    lab.clusters["primary"].create_topic("mm2-offset-syncs.standby.internal")
    lab.clusters["standby"].create_topic("mm2-offset-syncs.primary.internal")
    return lab
