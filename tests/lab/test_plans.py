"""Plans that cannot be are refused when they are made, with what was expected and found."""

import pytest

from appliance.lab import ClusterPlan, LabError, LabPlan, ReplicationPlan


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ClusterPlan("Primary"), "found 'Primary'"),
        (lambda: ClusterPlan("a.b"), "found 'a.b'"),
        (lambda: ClusterPlan("a", brokers=0), "at least one broker, found 0"),
        (lambda: ClusterPlan("a", first_node_id=-1), "0 or more, found -1"),
        (lambda: LabPlan(()), "found none"),
        (lambda: LabPlan((ClusterPlan("a"), ClusterPlan("a"))), "names that differ, found a, a"),
        (lambda: LabPlan((ClusterPlan("a"),), ReplicationPlan("a", "b")), "found 'b'"),
        (lambda: LabPlan((ClusterPlan("a"),), ReplicationPlan("a", "a")), "found 'a' twice"),
    ],
)
def test_refused(make, message):
    with pytest.raises(LabError, match=message):
        make()


def test_nodes_are_numbered_from_the_first():
    assert list(ClusterPlan("a", brokers=3, first_node_id=11).node_ids) == [11, 12, 13]
