from autoscaler.ports import Heartbeat


async def test_one_row_a_worker_written_anew_latest_first(store):
    await store.beat(Heartbeat("w-1", 1, 10, 3, dry_run=False))
    await store.beat(Heartbeat("w-2", 5, 20, 0, dry_run=True, detail={"reason": "no mounted disk"}))
    assert [one.worker for one in await store.heartbeats()] == ["w-2", "w-1"]
    again = Heartbeat("w-1", 1, 30, 4, dry_run=False, detail={"render": "ok"})
    await store.beat(again)
    assert await store.heartbeats() == [
        again,
        Heartbeat("w-2", 5, 20, 0, dry_run=True, detail={"reason": "no mounted disk"}),
    ]
