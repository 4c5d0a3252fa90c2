"""Rate limits: their headers, their windows, what shares one, and how to be without."""

from tests.support.sim import SERVICE, caller, manual_simulator, world_with

URL = f"/services/{SERVICE}"


def limits(reply):
    return tuple(int(reply.headers[f"Ratelimit-{name}"]) for name in ("Limit", "Remaining", "Reset"))


async def test_reads_count_down_from_400_in_fixed_clock_minutes(sim, http):
    sim.clock.advance(12.5)
    assert limits(await http.get(URL)) == (400, 399, 48)
    sim.clock.advance(1)
    assert limits(await http.get("/services")) == (400, 398, 47)
    sim.clock.advance(46.5)
    assert limits(await http.get(URL)) == (400, 399, 60)


async def test_plan_deploys_scale_suspend_and_resume_share_ten_a_minute_per_service(sim, http):
    await http.patch(URL, json={"serviceDetails": {"plan": "standard"}})
    await http.post(f"{URL}/scale", json={"numInstances": 2})
    await http.post(f"{URL}/suspend")
    await http.post(f"{URL}/resume")
    for remaining in range(5, -1, -1):
        assert limits(await http.post(f"{URL}/deploys", json={}))[:2] == (10, remaining)
    refused = await http.post(f"{URL}/deploys", json={})
    assert refused.status_code == 429
    assert refused.json()["message"] == "rate limit exceeded"
    assert (refused.headers["Retry-After"], limits(refused)) == ("60", (10, 0, 60))
    assert (await http.put(f"{URL}/env-vars/A", json={"value": "1"})).status_code == 200
    sim.clock.advance(60)
    assert (await http.post(f"{URL}/deploys", json={})).status_code == 201


async def test_a_refused_call_has_no_effect(sim, http):
    for _ in range(10):
        await http.post(f"{URL}/scale", json={"numInstances": 2})
    await http.patch(URL, json={"serviceDetails": {"plan": "pro"}})
    assert (await http.get(URL)).json()["serviceDetails"]["plan"] == "starter"


async def test_other_writes_have_thirty_a_minute_together(http):
    for remaining in (29, 28):
        assert limits(await http.put(f"{URL}/env-vars/A", json={"value": "1"}))[:2] == (30, remaining)
    assert limits(await http.post(f"{URL}/restart"))[:2] == (30, 27)


async def test_limits_can_be_scaled_and_switched_off():
    async with manual_simulator(world_with(limits={"scale": 0.1})) as sim, caller(sim) as http:
        await http.post(f"{URL}/scale", json={"numInstances": 2})
        assert (await http.post(f"{URL}/scale", json={"numInstances": 2})).status_code == 429
    async with manual_simulator(world_with(limits={"enabled": False})) as sim, caller(sim) as http:
        for _ in range(12):
            reply = await http.post(f"{URL}/scale", json={"numInstances": 2})
            assert reply.status_code == 202


async def test_a_wrong_key_is_told_the_limits_but_uses_nothing_up(sim, http):
    assert limits(await http.get(URL, headers={"Authorization": "Bearer wrong"})) == (400, 400, 60)
    assert limits(await http.get(URL)) == (400, 399, 60)
