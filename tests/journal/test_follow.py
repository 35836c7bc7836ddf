"""A consumer that follows another: the same runs, and neither ever waits for the other for long."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glasshouse_collector.core.batch import Frame, Origin, Run
from glasshouse_collector.journal import Consumer, Journal, consumer

OpenJournal = Callable[..., Journal]
MakeFrame = Callable[..., Frame]
UNLIMITED = 1 << 40


async def next_run(reading: Consumer, records: int = UNLIMITED, linger: float = 0) -> Run:
    """Return the next run, committed."""
    async with asyncio.timeout(30):
        run = await reading.next_run(max_records=records, max_bytes=UNLIMITED, linger=linger)
    assert run is not None
    await reading.commit(run)
    return run


def pair(journal: Journal) -> tuple[Consumer, Consumer]:
    """Return a leader and its follower."""
    leader, follower = journal.consumer("leader"), journal.consumer("follower")
    follower.follow(leader)
    return leader, follower


def test_a_follower_takes_the_leaders_runs(open_journal: OpenJournal, frame: MakeFrame) -> None:
    """Whatever came meanwhile, and across segments, its runs have the leader's bounds."""

    async def scenario() -> None:
        journal = open_journal(segment_bytes=4096)
        leader, follower = pair(journal)
        led: list[Origin] = []
        for number in range(30):
            await journal.append(frame(number, 500))
            if number % 4 == 3:
                led.append((await next_run(leader, 3)).origin)
        while leader.reader.has_more():
            led.append((await next_run(leader, 3)).origin)
        assert [(await next_run(follower, 3)).origin for _ in led] == led
        assert not follower.reader.has_more()
        await journal.close()

    asyncio.run(scenario())


def test_a_follower_waits_for_the_leader_to_form_the_next_run(
    open_journal: OpenJournal, frame: MakeFrame
) -> None:
    """It does not run ahead with what is there while the leader is as far as itself."""

    async def scenario() -> None:
        journal = open_journal()
        leader, follower = pair(journal)
        await journal.append(frame(0))
        waiting = asyncio.create_task(next_run(follower))
        await asyncio.sleep(0)
        await journal.append(frame(1))
        led = await next_run(leader)
        assert len(led.frames) == 2
        assert (await waiting).origin == led.origin
        await journal.close()

    asyncio.run(scenario())


def test_a_follower_goes_on_alone_past_a_leader_that_stands_still(
    open_journal: OpenJournal, frame: MakeFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits once, reads on while the leader is behind, and takes its runs again when it has caught up."""
    monkeypatch.setattr(consumer, "_LEADER_SECONDS", 0.05)

    async def scenario() -> None:
        journal = open_journal()
        leader, follower = pair(journal)
        await journal.append(frame(0))
        assert len((await next_run(follower)).frames) == 1
        monkeypatch.setattr(consumer, "_LEADER_SECONDS", 3600)
        await journal.append(frame(1))
        assert len((await next_run(follower)).frames) == 1
        await journal.append(frame(2))
        await journal.append(frame(3))
        caught_up = await next_run(leader)
        assert len(caught_up.frames) == 4
        await journal.append(frame(4))
        rest = await next_run(follower)
        assert [one.payload for one in rest.frames] == [frame(number).payload for number in (2, 3)]
        assert (await next_run(leader)).origin == (await next_run(follower)).origin
        await journal.close()

    asyncio.run(scenario())


def test_a_follower_that_waits_can_be_stopped(open_journal: OpenJournal, frame: MakeFrame) -> None:
    """A leader that never comes does not hold up the end."""

    async def scenario() -> None:
        journal = open_journal()
        _, follower = pair(journal)
        await journal.append(frame(0))
        reading = follower.next_run(max_records=1, max_bytes=UNLIMITED, linger=0)
        waiting = asyncio.create_task(reading)
        await asyncio.sleep(0)
        follower.stop()
        async with asyncio.timeout(30):
            assert await waiting is None
        await journal.close()

    asyncio.run(scenario())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(["append", "lead", "follow"]), min_size=5, max_size=60))
def test_in_any_order_each_gets_every_frame_once(
    tmp_path_factory: pytest.TempPathFactory,
    open_journal: OpenJournal,
    frame: MakeFrame,
    monkeypatch: pytest.MonkeyPatch,
    steps: list[str],
) -> None:
    """However the two and the writer are interleaved, each reads all frames, in order, once."""
    monkeypatch.setattr(consumer, "_LEADER_SECONDS", 0)

    async def scenario() -> None:
        journal = open_journal(directory=tmp_path_factory.mktemp("journal"), segment_bytes=4096)
        leader, follower = pair(journal)
        got: dict[str, list[bytes]] = {"lead": [], "follow": []}
        appended = 0
        for step in [*steps, *("lead", "follow") * len(steps)]:
            if step == "append":
                await journal.append(frame(appended, 300))
                appended += 1
            elif (reading := leader if step == "lead" else follower).reader.has_more():
                run = await next_run(reading, 4)
                got[step] += [one.payload for one in run.frames]
        assert got["lead"] == got["follow"] == [frame(number, 300).payload for number in range(appended)]
        await journal.close()

    asyncio.run(scenario())
