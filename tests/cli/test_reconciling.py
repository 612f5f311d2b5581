"""`plan`, `apply`, `sync`: what they say, what they end with, and that their own words work."""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
from pathlib import Path

import pytest

from sync.store.store import Store
from tests.cli.ground import PLATFORMS, Ground, said


def typed(ground: Ground, command: str) -> tuple[int, str]:
    """A command that a message named, typed literally."""
    words = shlex.split(command)
    assert words[0] == "segmentd"
    found = said(*words[1:], clock=ground.clock)
    return found.code, found.out + found.err


def test_plan_writes_to_no_platform_and_says_so_first(ground: Ground) -> None:
    shown = ground("plan")
    assert shown.code == 0, shown.err
    assert shown.out.splitlines()[0].endswith(": nothing has been written yet")
    assert ground.writes() == 0
    for account in ("Sandbox Inc", "Sandbox Shop"):
        assert account in shown.out
    assert shown.out.count(" old\n") == 3
    assert shown.out.rstrip().splitlines()[-1].endswith(f"Next: segmentd apply -c {ground.config} {shown.out.split(' ')[1].rstrip(':')}")


def test_text_and_json_of_a_plan_hold_the_same(ground: Ground) -> None:
    data = ground.data("plan")
    text = ground("plan", "--offline").out
    for target in data["targets"]:
        line = next(line for line in text.splitlines() if line.startswith(target["target"] + " "))
        numbers = [str(target[key]) for key in ("members", "add", "remove", "barred", "missing", "foreign")]
        assert line.split()[2:8] == numbers


def test_plan_shows_a_part_when_asked(ground: Ground) -> None:
    ground("plan")
    of_segment = ground.data("plan", "--offline", "--segment", "buyers")
    assert {t["target"].split("/")[0] for t in of_segment["targets"]} == {"buyers"}
    of_platform = ground.data("plan", "--offline", "--platform", "hubspot")
    assert [t["target"] for t in of_platform["targets"]] == ["readers/hubspot/list"]


@pytest.mark.parametrize(("argv", "says"), [
    (["plan", "--segment", "buyer"], "no segment 'buyer' in the config; did you mean 'buyers'?"),
    (["plan", "--platform", "klavio"], "no connection 'klavio' in the config; did you mean 'klaviyo'?"),
    (["sync", "nobody"], "no connection 'nobody' in the config; it has mailchimp, hubspot, klaviyo"),
    (["apply", "--allow", "buyers/mailchimp/shop/tag:adds"], "--allow needs --reason"),
    (["apply", "--allow", "buyers/mailchimp/shop/tag:adds", "--reason", " "], "--allow needs --reason"),
    (["apply", "--allow", "buyers", "--reason", "x"], "--allow takes TARGET:GUARD"),
    (["apply", "--allow", "buyers/mailchimp/shop/tag:everything", "--reason", "x"], "guards are adds, existing, removes"),
    (["explain", "ann@example.com", "reader"], "no segment 'reader' in the config; did you mean 'readers'?"),
])
def test_unknown_names_are_refused_with_the_nearest_before_anything_is_opened(ground: Ground, argv: list[str], says: str) -> None:
    refused = ground(*argv)
    assert (refused.code, refused.out) == (2, "")
    assert says in refused.err
    assert not (ground.folder / "store.db").exists()


def test_an_offline_plan_says_that_segments_wait_for_a_first_pull_and_names_it(ground: Ground) -> None:
    plan = ground("plan", "--offline")
    assert plan.code == 0
    for segment in ("buyers", "readers"):
        assert re.search(rf"^{segment} waits: .* has not been pulled to its end yet$", plan.out, re.MULTILINE)
    assert plan.out.endswith(f"\nNext: segmentd plan -c {ground.config}\n")
    assert set(ground.data("plan", "--offline", "-s", "readers")["waiting"]) == {"readers"}
    assert ground.data("plan")["waiting"] == {}


@pytest.mark.parametrize("option", ["--complete", "--changes-only"])
def test_a_plan_that_looks_at_no_platform_does_not_take_how_much_to_look_at(ground: Ground, option: str) -> None:
    refused = ground("plan", "--offline", option)
    assert (refused.code, refused.out) == (2, "")
    assert f"--offline looks at no platform; leave out {option}" in refused.err


def test_apply_refuses_an_unknown_plan_and_an_unknown_target(ground: Ground) -> None:
    nothing = ground("apply")
    assert nothing.code == 3
    assert "`segmentd plan` makes one" in nothing.err
    ground("plan")
    unknown = ground("apply", "20200101-000000-abcdef")
    assert unknown.code == 3
    assert "there is no plan 20200101-000000-abcdef" in unknown.err
    missing = ground("apply", "--allow", "buyer/mailchimp/shop/tag:adds", "--reason", "x")
    assert missing.code == 2
    assert "did you mean 'buyers/mailchimp/shop/tag'" in missing.err
    assert ground.writes() == 0
    assert [run["command"] for run in ground.data("runs")] == ["plan"]


def test_a_refusals_own_command_typed_literally_lets_it_through(ground: Ground) -> None:
    ground.change("adds: {share: 100%, at_most: 100000}", "adds: {share: 100%, at_most: 3}")
    mailchimp = ground.sandbox.applications["mailchimp"]
    stranger = next(row["email"] for row in mailchimp.rows("profiles").to_pylist() if row["live"] and not row["barred"])
    mailchimp.act("create_target", name="Buyers")
    mailchimp.act("add_by_hand", email=stranger, target="Buyers")
    plan = ground("plan", "--json")
    assert plan.code == 3
    refused = {t["target"]: t["refusals"] for t in plan.json["targets"]}
    assert {r["guard"] for r in refused["buyers/mailchimp/shop/tag"]} == {"existing", "adds"}
    for refusals in refused.values():
        assert refusals
        code, words = typed(ground, refusals[0]["command"])
        assert code in (0, 3), words
    assert all(t["add"] == 0 for t in ground.data("plan")["targets"])


def test_a_refused_apply_names_the_command_that_lets_it_go(ground: Ground) -> None:
    ground.change("adds: {share: 100%, at_most: 100000}", "adds: {share: 100%, at_most: 3}")
    ground("plan")
    refused = ground("apply", "--json")
    assert refused.code == 3
    assert set(refused.json["ways"]) == set(refused.json["refused"])
    for way in refused.json["ways"].values():
        typed(ground, way)
    assert ground("sync").code == 0


def test_sync_ends_with_3_when_a_target_was_never_applied_and_its_next_commands_lead_on(ground: Ground) -> None:
    first = ground("sync")
    assert first.code == 3
    assert ground.writes() == 0
    assert "waits: it was never applied" in first.out
    code, words = typed(ground, first.out.rstrip().rpartition("Next: ")[2])
    assert code == 0, words
    assert ground.writes() > 0
    assert ground("sync").code == 0


def test_apply_without_a_name_never_takes_a_plan_that_nobody_was_shown(ground: Ground) -> None:
    assert ground("sync").code == 3                 # it keeps a plan of what waits
    unseen = ground("apply")
    assert unseen.code == 3
    assert "`segmentd plan` makes one" in unseen.err
    assert ground.writes() == 0
    shown = ground.data("plan", "--offline")["plan"]
    ground.clock.advance(60)
    ground("sync")
    assert ground.data("apply")["plan"] == shown


def test_an_edited_rule_waits_and_an_old_plan_of_it_is_refused(ground: Ground) -> None:
    ground("plan")
    ground.change("    event: order_placed\n", "    event: order_placed\n    within: 30d\n")
    stale = ground("apply", "--json")
    assert stale.code == 3
    assert "edited since the plan" in stale.json["refused"]["buyers/klaviyo/list"]
    assert stale.json["ways"]["buyers/klaviyo/list"] == f"segmentd plan -c {ground.config}"


def test_a_refused_key_is_code_1_says_where_and_leaves_the_others_working(ground: Ground) -> None:
    (ground.folder / "klaviyo.key").write_text("pk_not_this_one")
    plan = ground("plan")
    assert plan.code == 1
    assert "the key was refused; see connections.klaviyo.key" in plan.out
    assert "Sandbox Inc" in plan.out
    assert "pk_not_this_one" not in plan.out + plan.err
    assert ground("sync").code == 1
    assert "not used: klaviyo." in ground("status").out


def unplug(ground: Ground, *platforms: str) -> None:
    """Nobody listens any more where these platforms were."""
    for platform in platforms:
        ground.change(ground.sandbox.urls[platform], "http://127.0.0.1:9")


def test_an_apply_whose_platforms_do_not_answer_is_code_1_and_says_which_in_text_and_json(ground: Ground) -> None:
    unplug(ground, *PLATFORMS)
    assert ground("plan", "--offline").code == 0
    told = ground("apply")
    assert told.code == 1
    for platform in PLATFORMS:
        assert f"\n{platform}: {platform}: GET " in told.out
    told = ground("apply", "--json")
    assert told.code == 1
    assert set(told.json["problems"]) == set(PLATFORMS)
    assert all("it does not answer now" in why for why in told.json["problems"].values())


def test_a_platform_that_does_not_answer_comes_before_the_targets_that_wait_for_it(ground: Ground) -> None:
    ground("plan")
    unplug(ground, "klaviyo")
    told = ground("apply", "--json")
    assert told.code == 1
    assert set(told.json["refused"]) == {"buyers/klaviyo/list"}
    assert set(told.json["problems"]) == {"klaviyo"}


def test_a_list_that_a_platform_will_not_have_made_is_code_1_and_the_plan_stays_good(ground: Ground) -> None:
    ground("plan")
    ground.sandbox.sky.order("klaviyo", "403", 9, "POST /api/lists", 0)
    told = ground("apply", "--json")
    assert told.code == 1
    assert told.json["refused"] == {}
    assert set(told.json["problems"]) == {"buyers/klaviyo/list"}
    ground.sandbox.sky.orders.clear()
    again = ground("apply", "--json")
    assert (again.code, again.json["problems"]) == (0, {})


def test_a_missing_secret_is_code_2_with_its_place(ground: Ground) -> None:
    (ground.folder / "klaviyo.key").unlink()
    for command in ("plan", "apply", "sync"):
        refused = ground(command)
        assert (refused.code, refused.out) == (2, "")
        assert refused.err.startswith(f"{ground.config}:")
        assert "is not there" in refused.err


@pytest.mark.parametrize("deed", ["archive", "erase"])
def test_who_unsubscribed_stays_off_other_platforms_when_staff_archive_or_erase_them(ground: Ground, deed: str) -> None:
    mailchimp, klaviyo = (ground.sandbox.applications[name] for name in ("mailchimp", "klaviyo"))
    mailchimp.act("create_profile", email="left@shop.example", standing="withdrawn")
    profile = klaviyo.act("create_profile", email="left@shop.example", standing="granted")["id"]
    klaviyo.act("happen", email="left@shop.example", kind="order_placed", value=5_000_000)
    ground.clock.advance(3600)
    assert (ground("plan").code, ground("apply").code) == (0, 0)
    mailchimp.act(deed, email="left@shop.example")
    ground.clock.advance(3600)
    assert ground("sync", "--complete").code == 0
    members = {row["profile"] for row in klaviyo.rows("members").to_pylist() if row["name"] == "Buyers"}
    assert members
    assert profile not in members


def test_changes_given_up_are_code_4_and_status_says_why(ground: Ground) -> None:
    ground("plan")
    gone = [row for row in ground.sandbox.applications["mailchimp"].rows("profiles").to_pylist() if row["live"] and not row["barred"]]
    for row in gone:
        ground.sandbox.applications["mailchimp"].act("erase", email=row["email"])
    sent = ground("apply", "--json")
    assert sent.code == 4, sent.out
    status = ground.data("status")
    assert sum(each["count"] for each in status["dead_letters"]) == sent.json["dead"] > 0
    assert "given up: " in ground("status").out


def test_a_store_held_by_another_is_code_75_and_can_still_be_read(applied: Ground) -> None:
    with Store.writer(applied.folder / "store.db"):
        for command in ("plan", "apply", "sync"):
            held = applied(command)
            assert (held.code, held.out) == (75, "")
            assert "another segmentd" in held.err
        assert applied("status").code == 0


def test_a_damaged_store_is_code_1_with_advice_and_no_traceback(applied: Ground, tmp_path: Path) -> None:
    text = applied.config.read_text()
    config = tmp_path / "config.yaml"
    whole = (applied.folder / "store.db").read_bytes()
    for name, content in (("noise.db", b"noise" * 9000), ("torn.db", whole[:8192] + b"\xa5" * (len(whole) - 8192))):
        (tmp_path / name).write_bytes(content)
        config.write_text(text.replace("store.db", str(tmp_path / name)))
        for argv in (["status"], ["plan"], ["sync"], ["runs"], ["explain", "ann@example.com", "buyers"]):
            broken = said(*argv, "-c", str(config), clock=applied.clock)
            assert (broken.code, broken.out) == (1, ""), (name, argv, broken)
            assert "Traceback" not in broken.err
            assert "segmentd plan" in broken.err


def test_a_text_in_the_store_that_is_no_text_is_damage_and_never_quoted(ground: Ground) -> None:
    assert ground("plan").code == 0
    db = sqlite3.connect(ground.folder / "store.db")
    (someone,) = db.execute("select min(address) from addresses").fetchone()
    for table, column in (("contacts", "sample_key"), ("profiles", "address"), ("runs", "command"), ("event_types", "name")):
        db.execute(f"update {table} set {column} = cast({column} || x'e94d61727461ff' as text)")
    db.commit()
    db.close()
    for argv in (["runs"], ["events"], ["status"], ["preview", "buyers"], ["explain", someone, "buyers"], ["plan", "--offline"]):
        found = ground(*argv)
        assert (found.code, found.out) == (1, ""), (argv, found)
        assert "is not UTF-8" in found.err, argv
        assert "Traceback" not in found.err
        assert "Marta" not in found.err


def test_a_store_that_cannot_be_made_is_code_1(applied: Ground, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    config = tmp_path / "config.yaml"
    config.write_text(applied.config.read_text().replace("store.db", str(tmp_path / "file" / "deeper.db")))
    refused = said("plan", "-c", str(config), clock=applied.clock)
    assert refused.code == 1
    assert "Traceback" not in refused.err


def test_a_bug_of_ours_is_code_70_with_a_traceback_and_no_address(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no rule for Ann.Example+x@mail.example.com in pk_0123456789abcdef0123")

    monkeypatch.setattr("sync.insight.standing.standing", broken)
    ground("plan")
    found = ground("status")
    assert (found.code, found.out) == (70, "")
    assert "Traceback" in found.err
    assert "please report" in found.err
    assert "mail.example.com" not in found.err
    assert "pk_0123" not in found.err


def test_status_says_of_a_segment_that_never_was_evaluated_that_it_never_was(ground: Ground) -> None:
    ground.change("  buyers:\n", "  buyers:\n    enabled: false\n")
    ground("plan")
    assert ground.data("status")["segments"]["buyers"]["age_ms"] is None
    assert "buyers         0  never  " in ground("status").out


def test_what_a_person_wrote_as_a_reason_is_kept_with_the_run(ground: Ground) -> None:
    ground.change("adds: {share: 100%, at_most: 100000}", "adds: {share: 100%, at_most: 3}")
    plan = ground.data("plan")
    command = shlex.split(plan["targets"][0]["refusals"][0]["command"])[1:-1]
    said(*command, "counted by hand", clock=ground.clock)
    newest = ground.data("runs", "--last", "1")[0]
    assert newest["summary"]["reason"] == "counted by hand"
    assert newest["summary"]["allowed"] == ["buyers/mailchimp/shop/tag:adds"]
    assert json.dumps(newest["exit"]) == "3"


def test_consent_was_never_touched(applied: Ground) -> None:
    tallies = [applied.sandbox.applications[name].tallies["connector"] for name in PLATFORMS]
    assert [tally.consent for tally in tallies] == [0, 0, 0]


def test_the_readers_of_the_store_write_nothing_into_it(applied: Ground) -> None:
    with sqlite3.connect(f"file:{applied.folder / 'store.db'}?mode=ro", uri=True) as db:
        before = db.execute("select count(*) from runs").fetchone()
    for command in ("status", "events", "runs"):
        assert applied(command).code == 0
    with sqlite3.connect(f"file:{applied.folder / 'store.db'}?mode=ro", uri=True) as db:
        assert db.execute("select count(*) from runs").fetchone() == before
    db.close()
