import pytest
import trio

from appliance.drills.healing import UNDO_SECONDS, Healing


class _World:
    """What was undone, in the order in which it was."""

    def __init__(self):
        self.undone: list[str] = []
        self.told: list[str] = []

    def undo(self, name):
        async def act():
            await trio.lowlevel.checkpoint()
            self.undone.append(name)

        return act

    def owe(self, healing, *names):
        for name in names:
            healing.owe(name, f"undo {name}", self.undo(name))


async def test_undoes_all_in_reverse_order():
    world, healing = _World(), Healing()
    world.owe(healing, "fault", "broker", "replication")
    assert healing.owed() == ["undo replication", "undo broker", "undo fault"]
    assert await healing.heal(world.told.append) == []
    assert world.undone == ["replication", "broker", "fault"]
    assert world.told == ["undo replication", "undo broker", "undo fault"]


async def test_what_a_step_undid_itself_is_not_undone_again():
    world, healing = _World(), Healing()
    world.owe(healing, "fault", "broker")
    healing.paid("fault")
    healing.paid("never owed")
    await healing.heal(world.told.append)
    assert world.undone == ["broker"]


async def test_one_failure_does_not_keep_the_others_from_being_healed():
    world, healing = _World(), Healing()

    async def fail():
        raise OSError("no such process")

    world.owe(healing, "fault")
    healing.owe("broker", "start broker 1", fail)
    world.owe(healing, "replication")
    assert await healing.heal(world.told.append) == ["start broker 1: OSError: no such process"]
    assert world.undone == ["replication", "fault"]


async def test_a_remedy_that_hangs_is_given_up(autojump_clock):  # noqa: ARG001 - pytest-trio looks for the argument
    world, healing = _World(), Healing()
    world.owe(healing, "fault")
    healing.owe("broker", "start broker 1", trio.sleep_forever)
    assert await healing.heal(world.told.append) == ["start broker 1: TooSlowError"]
    assert world.undone == ["fault"]
    assert trio.current_time() >= UNDO_SECONDS


async def test_cancellation_does_not_stop_it():
    world, healing = _World(), Healing()
    world.owe(healing, "fault", "broker")
    with trio.CancelScope() as scope:
        scope.cancel()
        await healing.heal(world.told.append)
    assert world.undone == ["broker", "fault"]


async def test_a_second_call_has_nothing_to_do():
    world, healing = _World(), Healing()
    world.owe(healing, "fault")
    await healing.heal(world.told.append)
    await healing.heal(world.told.append)
    assert world.undone == ["fault"]


@pytest.mark.parametrize("times", [1, 2])
async def test_a_remedy_owed_twice_is_played_once(times):
    world, healing = _World(), Healing()
    for _ in range(times):
        world.owe(healing, "fault")
    await healing.heal(world.told.append)
    assert world.undone == ["fault"]
