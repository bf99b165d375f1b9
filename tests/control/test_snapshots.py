"""The order of what stands on a route, from the client's side to the cluster's."""

from __future__ import annotations

from appliance.chaos.api_error import ApiError
from appliance.chaos.faults import arm
from appliance.control.armoury import Armoury
from appliance.control.edition import Edition, FaultInForce, Standing
from appliance.control.snapshots import SnapshotMaker
from appliance.policies.connect.fence import Fence
from appliance.policies.connect.producer_identity import ProducerIdentity
from appliance.policies.connect.refused_writes import RefusedWrites
from appliance.policies.positions.leader_epochs import LeaderEpochs
from appliance.policies.positions.offset_maps import NO_MAPS, TopicId
from appliance.policies.positions.positions import Positions
from appliance.policies.positions.topic_ids import TopicIds
from appliance.policies.standard import standard_interceptors
from tests.control.world import declared, fault


def test_a_client_meets_the_fence_first_and_topic_ids_are_changed_closest_to_the_cluster():
    maker = SnapshotMaker(standard_interceptors, Armoury(arm), positions=lambda _: Positions(lambda: 0.0))
    standing = Standing(
        serving="standby",
        fence=Fence("refused"),
        switches=1,
        maps=NO_MAPS.with_topic_ids("standby", {"payments": TopicId(b"b" * 16, b"a" * 16)}),
    )
    strike = fault(error={"code": "NOT_LEADER_OR_FOLLOWER"}, select={"apis": ["Produce"]})
    edition = Edition(
        version=1,
        resources=tuple(declared()),
        virtual_clusters={"orders": standing},
        faults=(FaultInForce(name="strike", arming=1, spec=strike.spec, seconds_left=60),),
    )
    route = maker.make(edition).routes["orders"]
    assert route.topics == {b"a" * 16: "payments"}, "clients that know it need not ask for Metadata first"
    its = [type(each) for each in route.interceptors]
    asked = [RefusedWrites, ProducerIdentity, LeaderEpochs, ApiError, TopicIds]
    assert [each for each in its if each in asked] == asked
    assert its[0] is RefusedWrites
    assert its[-1] is TopicIds
