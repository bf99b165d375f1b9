import trio

from appliance.drills.interruption import Interruption


async def test_a_request_ends_the_inner_part_and_the_outer_goes_on():
    interruption = Interruption()
    reached = []
    with interruption.interruptible() as outer:
        with interruption.interruptible() as steps:
            interruption.request("SIGINT")
            await trio.sleep_forever()
        reached.append("aftermath")
        await trio.lowlevel.checkpoint()
    assert steps.cancelled_caught
    assert not outer.cancelled_caught
    assert reached == ["aftermath"]
    assert interruption.reason == "SIGINT"


async def test_a_second_request_ends_the_aftermath():
    interruption = Interruption()
    with interruption.interruptible():
        interruption.request("SIGINT")
        await trio.lowlevel.checkpoint()
    with interruption.interruptible() as aftermath:
        interruption.request("SIGTERM")
        await trio.sleep_forever()
    assert aftermath.cancelled_caught
    assert interruption.reason == "SIGINT"


async def test_healing_cannot_be_ended():
    interruption = Interruption()
    with interruption.interruptible() as outer:
        with interruption.deferred():
            interruption.request("SIGINT")
            await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()
    assert not outer.cancelled_caught
    assert interruption.reason == "SIGINT"


async def test_a_request_before_anything_began_is_known():
    interruption = Interruption()
    interruption.request("SIGINT")
    assert interruption.reason == "SIGINT"
