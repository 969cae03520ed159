from redis.asyncio import Redis

from kernel import events
from kernel.events import Envelope
from kernel.streams.dead import dead_letters, drop, replay


async def bury(redis: Redis, number: int) -> None:
    event = Envelope(events.DeploymentRequested(f"dep_{number}", "prj_1", "production"), key="k")
    await redis.xadd("deployments.dead", {"e": event.encode(), "group": "orchestrator", "error": f"fault {number}"})


async def test_letters_of_every_page_are_listed_and_replayed_once(redis: Redis) -> None:
    for number in range(250):
        await bury(redis, number)
    letters = [letter async for letter in dead_letters(redis)]
    assert [letter.error for letter in letters] == [f"fault {number}" for number in range(250)]
    await replay(redis, letters[7])
    await drop(redis, letters[8])
    assert await redis.xlen("deployments") == 1
    left = [letter.error async for letter in dead_letters(redis)]
    assert len(left) == 248
    assert "fault 7" not in left
    assert "fault 8" not in left
