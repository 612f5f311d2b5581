"""What goes by itself, what waits for a person, and what an approval covers."""

from __future__ import annotations

import pytest

from connectors.base import DAY, HOUR, Consent, ConsentState, Event, Op, Profile
from sync.model import ExitCode
from sync.reconcile.run import PlanGone, kept
from tests.reconcile.platform import pid
from tests.reconcile.town import GRANTED, HEAD, UNREADABLE, VIP, WITHDRAWN, Town

KEY = "vip/klaviyo/list"


def settled(town: Town, count: int = 4) -> None:
    """So many members, applied once."""
    for number in range(count):
        town.person(number)
    name, _, _ = town.plan()
    town.apply(name, {(KEY, "adds")})
    assert len(town.on()) == count


# --- the first write


def test_a_first_write_waits_for_apply_and_later_data_changes_do_not(town: Town) -> None:
    town.person(0)
    outcome, code = town.sync()
    assert code is ExitCode.REFUSED
    assert outcome["refused"] == {KEY: "it was never applied"}
    assert town.writes() == 0
    assert town.toys["klaviyo"].names == {}
    town.apply()
    assert town.on() == {"p0"}
    town.person(1)
    assert town.sync()[1] is ExitCode.OK
    assert town.on() == {"p0", "p1"}


def test_an_edited_rule_waits_and_sends_nothing_of_its_own(town: Town) -> None:
    settled(town)
    town.configure(VIP.replace("gold", "[gold, silver]"))
    town.person(9, "silver")
    writes = town.writes()
    outcome, code = town.sync()
    assert code is ExitCode.REFUSED
    assert outcome["refused"] == {KEY: "its rule or settings were edited"}
    assert town.writes() == writes
    town.apply()
    assert "p9" in town.on()
    assert town.sync()[1] is ExitCode.OK


def test_edits_go_by_themselves_where_the_config_says_so(town: Town) -> None:
    settled(town)
    town.configure(VIP.replace("gold", "[gold, silver]"), HEAD + "schedule: {apply: {edits: auto}}\n")
    town.person(9, "silver")
    assert town.sync()[1] is ExitCode.OK
    assert "p9" in town.on()


def test_the_daemon_sends_no_data_change_unless_the_config_says_so(town: Town) -> None:
    settled(town)
    town.person(9)
    outcome, code = town.sync(data_may_go=False)
    assert code is ExitCode.REFUSED
    assert outcome["refused"] == {KEY: "schedule.apply.data is by_hand"}
    assert "p9" not in town.on()


# --- what an approval covers


def test_an_apply_adds_nothing_to_what_was_approved_and_drops_what_is_wanted_no_more(town: Town) -> None:
    town.person(0)
    town.person(1)
    name, _, _ = town.plan()
    town.person(1, "silver")
    town.person(2)
    town.pulled()
    approval = town.apply(name)
    assert town.on() == {"p0"}
    assert approval.enqueued == {KEY: 1}
    assert approval.dropped == {KEY: 1}


def test_a_plan_is_applied_once_target_by_target(town: Town) -> None:
    settled(town)
    name = kept(town.street).id
    town.person(0, "silver")
    town.sync()
    assert "p0" not in town.on()
    town.person(0)
    town.pulled()
    assert town.apply(name).enqueued == {}
    assert "p0" not in town.on()


@pytest.mark.parametrize("text", [
    VIP.replace("gold", "silver"), VIP.replace("{list: VIP}", "{list: VIP, manage: exclusive}"),
    VIP.replace("{list: VIP}", "{list: VIP, require: granted}"),
])
def test_an_apply_is_refused_when_rule_or_settings_moved_since_the_plan(town: Town, text: str) -> None:
    town.person(0)
    name, _, _ = town.plan()
    town.configure(text)
    assert "edited since the plan" in town.apply(name).refused[KEY]
    assert town.writes() == 0


def test_an_apply_is_refused_when_ownership_moved_since_the_plan(town: Town) -> None:
    settled(town)
    town.person(0, "silver")
    name, _, _ = town.plan()
    town.toys["klaviyo"].person_removes("t1", pid(3))
    look = town.street
    look.clock.sleep(1)
    town.sync(complete=True, data_may_go=False)
    assert "what is ours there has moved" in town.apply(name).refused[KEY]


def test_a_target_that_left_the_config_is_refused_by_name(town: Town) -> None:
    town.person(0)
    name, _, _ = town.plan()
    town.configure(VIP.replace("vip:", "gold:"))
    assert town.apply(name).refused == {KEY: "it is no longer in the config"}


def test_a_plan_that_is_not_there_is_named(town: Town) -> None:
    with pytest.raises(PlanGone, match="there is no plan yet"):
        kept(town.street)
    with pytest.raises(PlanGone, match="there is no plan 2020"):
        kept(town.street, "2020")


# --- guards on the way


def test_only_the_guard_that_was_named_for_the_target_is_let_through(town: Town) -> None:
    town.configure(head=HEAD + "guards: {adds: {at_most: 2}}\n")
    for number in range(3):
        town.person(number)
    name, _, report = town.plan()
    (target,) = report["targets"]
    assert [r["guard"] for r in target["refusals"]] == ["adds"]
    assert target["refusals"][0]["command"] == report["next"] == f'segmentd apply {name} --allow {KEY}:adds --reason "…"'
    for wrong in (set(), {(KEY, "removes")}, {("other/klaviyo/list", "adds")}):
        assert "guard adds: 3 adds of 0 members" in town.apply(name, wrong).refused[KEY]
        assert town.writes() == 0
    assert town.apply(name, {(KEY, "adds")}).enqueued == {KEY: 3}
    assert len(town.on()) == 3


def test_a_guard_that_did_not_refuse_then_but_does_now_holds(town: Town) -> None:
    settled(town, 4)
    town.configure(head=HEAD + "guards: {removes: {share: 50%, from: 1}}\n")
    for number in range(3):
        town.person(number, "silver")
    name, judged, _ = town.plan()
    assert [r.guard for r in judged[KEY].refusals] == ["removes"]
    assert "guard removes" in town.apply(name).refused[KEY]
    assert len(town.on()) == 4


def test_a_refusal_of_removes_names_what_most_leavers_fail_and_what_it_rests_on(town: Town) -> None:
    text = VIP.replace("{klaviyo.plan: gold}", "{klaviyo.plan: gold, klaviyo.nothing: {is_set: false}}")
    town.configure(text, HEAD + "guards: {removes: {at_most: 1}}\n")
    settled(town)
    for number in range(3):
        town.person(number, "silver")
    _, _, report = town.plan()
    (refusal,) = report["targets"][0]["refusals"]
    assert refusal["leavers_fail"].startswith("klaviyo.plan")
    assert refusal["leavers_fail"].endswith("(3 of 3)")
    assert "klaviyo" in refusal["rests_on"]


def test_two_guards_of_one_target_are_named_in_one_command(town: Town) -> None:
    toy = town.toys["klaviyo"]
    toy.create("list", "VIP", "")
    toy.person_adds("t1", pid(50))
    town.configure(head=HEAD + "guards: {adds: {at_most: 0}}\n")
    town.person(0)
    name, judged, report = town.plan()
    assert {r.guard for r in judged[KEY].refusals} == {"adds", "existing"}
    for guard in ("adds", "existing"):
        assert f"--allow {KEY}:{guard}" in report["next"]
    assert KEY in town.apply(name, {(KEY, "adds")}).refused
    town.apply(name, {(KEY, "adds"), (KEY, "existing")})
    assert town.on() == {"p0", "p50"}


def test_what_a_refused_target_no_longer_wants_leaves_its_outbox(town: Town) -> None:
    settled(town)
    town.person(5)
    town.person(6)
    town.toys["klaviyo"].script = ["key"]
    town.sync()
    assert town.waiting() == 2
    town.person(6, "silver")
    town.configure(VIP.replace("{list: VIP}", "{list: VIP, existing: keep}"))        # an edit: it waits
    town.toys["klaviyo"].script = ["key"]
    town.sync()
    assert town.store.rows("select profile from outbox") == [("p5",)]


# --- members found at first contact


@pytest.mark.parametrize(("existing", "left"), [("keep", {"p0", "p50"}), ("adopt", {"p0"})])
def test_members_found_there_are_kept_or_made_ours_as_the_config_says(town: Town, existing: str, left: set[str]) -> None:
    toy = town.toys["klaviyo"]
    toy.create("list", "VIP", "")
    toy.person_adds("t1", pid(50), fair=True)
    town.configure(VIP.replace("{list: VIP}", f"{{list: VIP, existing: {existing}}}"))
    town.person(0)
    town.person(50, "silver")
    town.plan()
    town.apply()
    assert town.on() == {"p0", "p50"}           # an apply does what was shown
    town.sync()
    assert town.on() == left


def test_a_list_that_somebody_made_between_plan_and_apply_is_first_contact(town: Town) -> None:
    town.person(0)
    name, _, _ = town.plan()
    toy = town.toys["klaviyo"]
    toy.create("list", "VIP", "")
    toy.person_adds("t1", pid(50))
    assert "somebody made it since the plan" in town.apply(name).refused[KEY]
    assert town.writes() == 0
    _, judged, _ = town.plan()
    assert [r.guard for r in judged[KEY].refusals] == ["existing"]


# --- frozen


def test_a_frozen_target_cannot_be_applied_so_that_nothing_goes_later_that_nobody_has_seen(town: Town) -> None:
    town.person(0)
    town.toys["klaviyo"].broken = {"profiles"}
    name, judged, _ = town.plan()
    assert judged[KEY].freeze.startswith("waiting: profiles of klaviyo has not been pulled")
    assert "frozen" in town.apply(name).refused[KEY]
    town.toys["klaviyo"].broken = set()
    assert "frozen when planned" in _applied_after_pull(town, name)
    assert town.sync()[1] is ExitCode.REFUSED
    assert town.writes() == 0


def _applied_after_pull(town: Town, name: str) -> str:
    town.pulled()
    return town.apply(name).refused[KEY]


def test_a_target_that_only_observes_is_passed_over(town: Town) -> None:
    town.configure(VIP.replace("{list: VIP}", "{list: VIP, manage: observe}"))
    town.person(0)
    town.plan()
    approval = town.apply()
    assert (approval.enqueued, approval.refused) == ({}, {})
    assert town.sync()[1] is ExitCode.OK
    assert town.writes() == 0


def test_a_failing_segment_freezes_its_target(town: Town) -> None:
    text = VIP.replace("contact: {klaviyo.plan: gold}", "event: order_placed, sum: {of: value, at_least: 5}")
    town.configure(text)
    town.person(0)
    town.toys["klaviyo"].events = [order("1", 10, "USD")]
    town.plan()
    town.apply()
    assert town.on() == {"p0"}
    town.toys["klaviyo"].events = [order("1", 10, "USD"), order("2", 10, "EUR")]
    outcome, _ = town.sync()
    assert town.on() == {"p0"}
    assert outcome["refused"] == {}
    _, judged, _ = town.plan()
    assert judged[KEY].freeze.startswith("the segment failed")


def order(number: str, value: float, currency: str) -> Event:
    from tests.reconcile.platform import NOW

    properties = {"OrderId": number, "$value": value, "$currency_code": currency, "value": value, "currency": currency}
    return Event(number, "Placed Order", NOW - HOUR, properties, profile=pid(0))


@pytest.mark.parametrize("trouble", ["failed", "stale"])
def test_a_failed_or_stale_source_removes_nobody(town: Town, trouble: str) -> None:
    settled(town)
    for number in range(2):
        town.person(number, "silver")
    town.person(7)
    town.pulled()
    town.toys["klaviyo"].broken = {"profiles"} if trouble == "failed" else set()
    if trouble == "stale":
        town.clock.advance(7 * HOUR / 1000)
        _, judged, _ = town.plan(offline=True)
    else:
        _, judged, _ = town.plan()
    made = judged[KEY].plan
    assert made.removes == ()
    assert len(made.adds) == 1
    assert sum(made.withheld.values()) == 2


def test_a_stream_of_facts_that_is_not_offered_holds_back_no_remove_that_does_not_rest_on_it(town: Town) -> None:
    settled(town)
    town.person(0, "silver")
    town.toys["hubspot"].broken = {"events"}
    town.sync()
    assert "p0" not in town.on()


# --- another account


def test_another_account_behind_the_key_is_neither_read_nor_written(town: Town) -> None:
    settled(town)
    town.person(9)
    toy = town.toys["klaviyo"]
    toy.account_id = "somebody else's"
    writes, listings = town.writes(), toy.listings
    outcome, code = town.sync(complete=True)
    assert code is ExitCode.FAILED
    assert "its key now opens" in str(outcome["pulled"])
    assert (town.writes(), toy.listings) == (writes, listings)
    name, judged, _ = town.plan()
    assert judged[KEY].freeze
    assert "its key now opens" in town.apply(name).refused[KEY]
    assert town.writes() == writes


def test_a_sync_of_one_connection_neither_looks_at_nor_approves_another(town: Town) -> None:
    settled(town)
    town.person(9)
    town.pulled()
    town.toys["klaviyo"].account_id = "somebody else's"
    listings = town.toys["klaviyo"].listings
    town.clock.advance(30 * HOUR / 1000)
    town.sync("hubspot")
    assert town.toys["klaviyo"].listings == listings
    assert town.waiting() == 0


# --- consent


def test_consent_withdrawn_anywhere_bars_and_takes_off(town: Town) -> None:
    settled(town)
    town.person(0, on="hubspot", consent=[WITHDRAWN])
    town.person(8)
    town.person(8, on="hubspot", consent=[Consent("email", ConsentState.UNKNOWN, suppressed=True)])
    town.sync()
    assert town.on() == {"p1", "p2", "p3"}


@pytest.mark.parametrize("where", ["platform", "audience"])
def test_a_narrower_rule_of_consent_bars_by_what_the_platform_itself_says(town: Town, where: str) -> None:
    settled(town)
    town.configure(head=HEAD + f"consent: {{withdrawn: {where}}}\n")
    town.person(0, on="hubspot", consent=[WITHDRAWN])
    town.person(1, consent=[WITHDRAWN])
    assert town.sync()[0]["refused"] == {KEY: "its rule or settings were edited"}
    town.apply(town.plan()[0])
    assert town.on() == {"p0", "p2", "p3"}


def test_who_opted_out_of_a_subscription_type_is_barred_from_targets_that_name_it_only(town: Town) -> None:
    text = """segments:
  vip: {contact: {hubspot.plan: gold}, sync: {hubspot: [{list: VIP, subscription: news}]}}
  all: {contact: {hubspot.plan: gold}, sync: {hubspot: [{list: All}]}}
"""
    town.configure(text)
    town.person(0, on="hubspot", consent=[Consent("email", ConsentState.WITHDRAWN, scope="news")])
    town.person(1, on="hubspot", consent=[Consent("email", ConsentState.WITHDRAWN, scope="offers")])
    town.plan()
    town.apply()
    assert town.on("VIP", "hubspot") == {"p1"}
    assert town.on("All", "hubspot") == {"p0", "p1"}


def test_who_withdrew_anywhere_is_read_once_a_plan_and_barred_everywhere(town: Town) -> None:
    town.configure("""segments:
  vip: {contact: {hubspot.plan: gold}, sync: {hubspot: {list: VIP}, klaviyo: {list: VIP}}}
""")
    for connection in ("hubspot", "klaviyo"):
        town.person(0, on=connection, consent=[GRANTED])
        town.person(1, on=connection, consent=[Consent("email", ConsentState.WITHDRAWN)] if connection == "hubspot" else [GRANTED])
    read = list[str]()
    town.street.store.db.set_trace_callback(read.append)
    town.plan()
    town.street.store.db.set_trace_callback(None)
    assert sum("(s.state = 'withdrawn' or s.suppressed) and s.scope = ''" in statement for statement in read) == 1
    town.apply()
    assert (town.on(connection="hubspot"), town.on(connection="klaviyo")) == ({"p0"}, {"p0"})


def test_each_of_two_profiles_of_one_contact_is_taken_off_under_its_own_address(town: Town) -> None:
    town.person(0)
    town.person(1)
    town.plan()
    town.apply()
    town.person(0, "silver", on="hubspot")
    town.pulled()
    town.toys["hubspot"].people[pid(0)] = Profile(pid(0), "c1@example.com", {}, (), updated=town.clock.now())
    town.person(0, "silver")
    town.person(1, "silver")
    town.sync()
    assert town.store.rows("select count(distinct contact) from profiles") == [(1,)]
    _, sent = town.toys["klaviyo"].pushes[-1]
    assert {(change.op, change.profile, change.email) for change in sent} == {
        (Op.REMOVE, "p0", "c0@example.com"), (Op.REMOVE, "p1", "c1@example.com"),
    }


def test_who_left_a_list_itself_is_barred_from_that_list(town: Town) -> None:
    settled(town)
    town.person(0, consent=[GRANTED, Consent("email", ConsentState.WITHDRAWN, scope="t1")])
    town.sync()
    assert town.on() == {"p1", "p2", "p3"}


def test_require_granted_lets_in_only_those_whose_consent_is_known(town: Town) -> None:
    town.configure(VIP.replace("{list: VIP}", "{list: VIP, require: granted}"))
    town.person(0, consent=[GRANTED])
    town.person(1)
    _, judged, _ = town.plan()
    assert judged[KEY].plan.barred == 1
    town.apply()
    assert town.on() == {"p0"}


def test_an_unreadable_consent_freezes_the_contact(town: Town) -> None:
    settled(town)
    town.person(0, "silver", consent=[UNREADABLE])      # would leave
    town.person(9, consent=[UNREADABLE])                # would join
    town.sync()
    assert town.on() == {"p0", "p1", "p2", "p3"}
    town.person(0, "silver", consent=[GRANTED])
    town.sync()
    assert town.on() == {"p1", "p2", "p3"}


def test_who_has_no_live_profile_there_is_missing_and_taken_off(town: Town) -> None:
    settled(town)
    town.person(0, live=False)
    town.person(9, on="hubspot")
    town.sync()
    assert town.on() == {"p1", "p2", "p3"}


def test_after_a_day_without_a_complete_look_nobody_is_removed_until_the_next_one(town: Town) -> None:
    settled(town)
    town.clock.advance(27 * HOUR / 1000)
    town.person(0, "silver")
    town.toys["klaviyo"].looks = ["cut"]
    outcome, _ = town.sync()
    assert len(town.on()) == 4
    assert outcome["withheld"] == {KEY: {"the view is partial": 1}}
    town.clock.advance(DAY / 1000)
    town.sync()
    assert town.on() == {"p1", "p2", "p3"}


# --- what decides a rule's answer beside the rule


@pytest.mark.parametrize("head", [
    HEAD + "consent: {withdrawn: platform}\n",
    HEAD + "fields: {country: {first_of: [hubspot.country]}}\n",
    HEAD.replace("{same: order_id}", "{from: klaviyo}"),
], ids=["consent", "fields", "events"])
def test_an_edit_beside_the_rule_that_changes_its_answer_waits_like_an_edit_of_the_rule(town: Town, head: str) -> None:
    rule = VIP.replace(
        "contact: {klaviyo.plan: gold}",
        "all: [{event: order_placed, count: {at_least: 0}}, {contact: {country: {is_not: XX}}}]",
    )
    town.configure(rule)
    settled(town)
    town.configure(rule, head)
    town.person(9)
    outcome, _ = town.sync()
    assert outcome["refused"] == {KEY: "its rule or settings were edited"}
