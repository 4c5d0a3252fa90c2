"""`check` makes one pass, says the exact calls, and changes nothing."""

from tests.support.cli import autoscaler


async def test_nothing_due_exits_0_and_says_steady(place):
    ended = await autoscaler("check", "-p", place.policies, "--detailed-exitcode", **place.env)
    assert ended.code == 0, ended.err
    assert "Steady at mvp" in ended.out
    assert "Nothing was changed." in ended.out


async def test_a_change_that_is_due_exits_2_and_lists_the_exact_calls(place):
    place.use_much_memory()
    ended = await autoscaler("check", "-p", place.policies, "--detailed-exitcode", "--json", **place.env)
    assert ended.code == 2, ended.err
    (document,) = ended.json
    service = "/v1/services/srv-cukr0123456789abcdef"
    assert document["calls"] == [
        {"method": "PATCH", "path": service, "body": {"serviceDetails": {"plan": "standard"}}},
        {"method": "PUT", "path": f"{service}/env-vars/MAX_CONCURRENT", "body": {"value": "20"}},
        {"method": "PUT", "path": f"{service}/env-vars/DB_POOL_SIZE", "body": {"value": "6"}},
        {"method": "POST", "path": f"{service}/deploys", "body": {"deployMode": "deploy_only"}},
    ]
    assert (document["due"], document["ask"], document["target"]) == (True, "up", "scaled")
    assert (document["monthly_now"], document["monthly_then"]) == (7, 25)
    assert place.writes == []


async def test_without_detailed_exitcode_a_due_change_exits_0(place):
    place.use_much_memory()
    ended = await autoscaler("check", "-p", place.policies, **place.env)
    assert ended.code == 0
    assert "It would make these 4 calls:" in ended.out
    assert "$7/mo → $25/mo (+$18/mo)" in ended.out
    assert "PATCH" in ended.out


async def test_it_leaves_no_database_behind(place):
    await autoscaler("check", "-p", place.policies, cwd=place.folder, **(place.env | {"DATABASE_URL": ""}))
    assert [path.name for path in place.folder.iterdir()] == ["policies"]


async def test_a_dead_endpoint_is_named_and_exits_1(place):
    place.policy.write_text(place.policy.read_text().replace("/api/health/scaling", "/elsewhere"))
    ended = await autoscaler("check", "-p", place.policies, "--detailed-exitcode", **place.env)
    assert ended.code == 1
    assert "No reading  misconfigured: HTTP 404: is the path right?" in ended.out


async def test_no_key_is_one_line_that_says_what_to_do(place):
    ended = await autoscaler("check", "-p", place.policies, **(place.env | {"RENDER_API_KEY": ""}))
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert "RENDER_API_KEY is not set. Make a key" in ended.err


async def test_a_refused_key_is_one_line_that_says_what_to_do_and_does_not_show_it(place):
    ended = await autoscaler("check", "-p", place.policies, **(place.env | {"RENDER_API_KEY": "rnd_wrong"}))
    assert ended.code == 1
    assert ended.err.count("\n") == 1
    assert "RENDER_API_KEY" in ended.err
    assert "rnd_wrong" not in ended.err + ended.out


async def test_a_service_that_does_not_exist_is_named_and_the_others_are_checked(place):
    other = place.policy.read_text().replace("srv-cukr0123456789abcdef", "srv-gone0123456789abcdef")
    (place.policies / "other.yaml").write_text(other)
    ended = await autoscaler("check", "-p", place.policies, **place.env)
    assert ended.code == 1
    assert "other.yaml:4:7: error: " in ended.err
    assert "srv-gone0123456789abcdef" in ended.err
    assert "Steady at mvp" in ended.out


async def test_under_detailed_exitcode_a_bad_policy_is_1(place):
    place.policy.write_text("version: 1\n")
    ended = await autoscaler("check", "-p", place.policies, "--detailed-exitcode", **place.env)
    assert ended.code == 1
    ended = await autoscaler("check", "-p", place.policies, **place.env)
    assert ended.code == 2


async def test_a_service_that_no_policy_names_is_a_usage_error_that_lists_those_that_are(place):
    ended = await autoscaler("check", "nobody", "-p", place.policies, **place.env)
    assert ended.code == 2
    assert "No policy is for 'nobody'. There are policies for: srv-cukr0123456789abcdef." in ended.err
