"""Stories are read exactly, and every mistake in one is told with its place."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from sync.config.load import load
from sync.config.model import Config
from sync.insight.story import Story, read_story
from sync.insight.trial import tried
from sync.language.person import ConsentFact, MembershipFact
from tests.language.support import at

HEAD = """version: 1
settings: {timezone: Europe/Berlin}
connections:
  mailchimp: {key: {env: KEY}, audiences: {shop: My shop, fair: The fair}, default_audience: shop}
  klaviyo: {key: {env: KEY}}
events: {order_placed: {same: order_id}}
fields: {shoe_size: {first_of: [klaviyo.properties.shoe]}}
segments:
  buyers: {event: order_placed, within: 7d}
  vips: {member_of: {mailchimp: {tag: VIP}}}
  open_to_us: {all: [{consent: {channel: email, is: granted}}, {not: {suppressed: true}}]}
  big_feet: {contact: {shoe_size: {at_least: 46}}}
  fresh_vips: {member_of: {mailchimp: {tag: VIP}, within: 7d}}
  lately_granted: {consent: {channel: email, is: granted, within: 7d}}
  once_buyers: {left: {segment: buyers, within: 7d}}
  grown: {contact: {shoe_size: {changed: true, to: 46, within: 30d}}}
"""
NOW = at("2026-11-20T12:00:00Z")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "config.yaml"
    path.write_text(HEAD)
    found, problems = load(path)
    assert found is not None, problems
    return found


def story(config: Config, text: str) -> Story:
    path = config.path.parent / "story.yaml"
    path.write_text(text)
    found, problems = read_story(path, config)
    assert found is not None, problems
    assert problems == []
    return found


def wrongs(config: Config, text: str) -> list[str]:
    path = config.path.parent / "story.yaml"
    path.write_text(text)
    found, problems = read_story(path, config)
    return [str(problem).removeprefix(f"{path}:") for problem in problems] if found is None else []


def test_everything_of_a_person_is_as_the_rules_see_it(config: Config) -> None:
    ann = story(config, """
now: 2026-11-20T12:00Z
people:
  ann:
    contact: {country: DE, shoe_size: 46.5, postcode: 01234, mailchimp.merge_fields.CITY: Ulm, klaviyo: {properties: {a: [1, true, null]}}}
    consent: {klaviyo: {email: granted, sms: withdrawn}}
    suppressed: mailchimp
    member_of: {mailchimp: [{tag: VIP}, {tag: Gold, audience: fair, since: now}], klaviyo: {list: News}}
    events:
      - {event: order_placed, at: 2d ago, properties: {value: 4.50}, times: 2}
      - {event: order_placed, at: 2026-11-01, id: x}
      - {event: order_placed, at: in 3h}
expect: {buyers: [ann]}
""").people["ann"]
    assert ann.fields == {
        "country": "DE", "shoe_size": Decimal("46.5"), "postcode": "01234", "mailchimp": {"merge_fields": {"CITY": "Ulm"}},
        "klaviyo": {"properties": {"a": [1, True, None]}},
    }
    assert set(ann.consents) == {
        ConsentFact("klaviyo", "email", "granted", at=ann.known_since), ConsentFact("klaviyo", "sms", "withdrawn", at=ann.known_since),
        ConsentFact("mailchimp", "email", "unknown", suppressed=True, at=ann.known_since),
    }
    assert ann.memberships == (
        MembershipFact("mailchimp", "tag", "VIP", "shop", ann.known_since), MembershipFact("mailchimp", "tag", "Gold", "fair", NOW),
        MembershipFact("klaviyo", "list", "News", "", ann.known_since),
    )
    day = 86_400_000
    assert [event.at for event in ann.events] == [NOW - 2 * day, NOW - 2 * day, at("2026-11-01"), NOW + 3 * 3_600_000]
    assert len({event.id for event in ann.events}) == 4
    assert ann.known_since == at("2026-11-01")


def test_expectations_come_true_or_not_at_their_own_moments(config: Config) -> None:
    found = story(config, """
now: 2026-11-20
people:
  ann: {events: [{event: order_placed, at: now}], member_of: {mailchimp: {tag: VIP}}}
  bob: {contact: {shoe_size: 50}, consent: {klaviyo: {email: granted}}}
  cleo: {consent: {klaviyo: {email: granted}}, suppressed: [klaviyo]}
expect: {buyers: ann, vips: [ann], open_to_us: [bob], big_feet: {in: bob}}
then:
  - {after: 7d, expect: {buyers: nobody}}
  - {at: 2026-11-26T23:59:59.999, expect: {buyers: {in: [ann], not_in: [bob]}}}
  - {after: 1d, expect: {buyers: everybody}}
""")
    assert found.now == at("2026-11-20")
    trial = tried(found, config)
    assert trial.disagreements == ()
    [wrong] = trial.wrong
    assert (wrong.lacking, wrong.excess, wrong.got) == (["bob", "cleo"], [], frozenset({"ann"}))
    assert wrong.trees["bob"].missing == "one more order_placed (has 0, needs at least 1)"


def test_what_was_before_is_told_with_its_time(config: Config) -> None:
    found = story(config, """
now: 2026-11-20
people:
  ann:
    consent: {klaviyo: {email: {is: granted, since: 3d ago}}}
    member_of: {mailchimp: {tag: VIP, since: 6d ago}}
    history: {shoe_size: [{is: 46, since: 20d ago}, {is: 45, since: 90d ago}, {is: 47, since: in 40d}]}
    entered: {buyers: [20d ago, 9d ago]}
    left: {buyers: 2d ago}
    known_since: 90d ago
  bob:
    consent: {klaviyo: {email: granted}}
    member_of: {mailchimp: {tag: VIP}}
    history: {shoe_size: {is: 46, since: 20d ago}}
    known_since: 90d ago
expect: {fresh_vips: ann, lately_granted: ann, once_buyers: ann, grown: ann, big_feet: everybody}
then:
  - {after: 1d, expect: {fresh_vips: nobody, lately_granted: ann, once_buyers: ann}}
  - {after: 5d, expect: {lately_granted: nobody, once_buyers: nobody, grown: ann}}
  - {after: 10d, expect: {grown: nobody}}
""")
    trial = tried(found, config)
    assert trial.disagreements == ()
    assert [(wrong.expectation, wrong.got) for wrong in trial.wrong] == []
    ann = found.people["ann"]
    assert ann.fields == {"shoe_size": 46}
    assert [(past.value, past.changed) for past in ann.pasts[("shoe_size",)]] == [(45, False), (46, True), (47, True)]


@pytest.mark.parametrize(("text", "says"), [
    ("now: 2026-11-20\npeople: {ann: {history: {shoe_size: 46}}}\nexpect: {buyers: ann}",
     "2:37: an entry of a field's history takes a map, not '46'; for example {is: gold, since: 30d ago}"),
    ("now: 2026-11-20\npeople: {ann: {history: {shoe_size: {is: 46}}}}\nexpect: {buyers: ann}",
     "2:37: an entry of a field's history says a value and since when; {is: gold, since: 30d ago}"),
    ("now: 2026-11-20\npeople: {ann: {entered: {buyer: now}}}\nexpect: {buyers: ann}",
     "2:26: no segment is called 'buyer'; did you mean 'buyers'?"),
    ("now: 2026-11-20\npeople: {ann: {left: {buyers: lately}}}\nexpect: {buyers: ann}",
     "2:31: 'left' takes a moment, not 'lately'; for example 2026-11-20 or 2026-11-20T08:00Z, 2d ago, in 2d or now"),
    ("now: 2026-11-20\npeople: {ann: {consent: {klaviyo: {email: {since: now}}}}}\nexpect: {buyers: ann}",
     "2:43: the consent does not say what it is; for example {is: granted, since: 3d ago}"),
    ("people: {ann: {}}\nexpect: {buyers: ann}", "1:1: the story does not say its clock; for example now: 2026-11-20T12:00Z"),
    ("now: soon\npeople: {ann: {}}\nexpect: {buyers: ann}",
     "1:6: 'now' takes a moment, not 'soon'; for example 2026-11-20 or 2026-11-20T08:00Z"),
    ("now: 2d ago\npeople: {ann: {}}\nexpect: {buyers: ann}",
     "1:6: 'now' takes a moment, not '2d ago'; for example 2026-11-20 or 2026-11-20T08:00Z"),
    ("now: 2026-11-20\nexpect: {buyers: nobody}", "1:1: the story has no people; for example people: {ann: {contact: {country: DE}}}"),
    ("now: 2026-11-20\npeople: {ann: {}}", "1:1: the story expects nothing; for example expect: {buyers: [ann, bob]}"),
    ("now: 2026-11-20\npeople: {ann: {}}\nexpect: {buyer: ann}", "3:10: no segment is called 'buyer'; did you mean 'buyers'?"),
    ("now: 2026-11-20\npeople: {ann: {}}\nexpect: {buyers: [anne]}",
     "3:19: nobody in the story is called 'anne'; did you mean 'ann'?"),
    ("now: 2026-11-20\npeople: {ann: {}}\nexpect: {buyers: {in: ann, not_in: ann}}",
     "3:18: 'ann' cannot be in the segment and not in it"),
    ("now: 2026-11-20\npeople: {ann: {}}\nexpct: {buyers: ann}", "3:1: unknown key 'expct' in a story; did you mean 'expect'?"),
    ("now: 2026-11-20\npeople: {ann: {contct: {}}}\nexpect: {buyers: ann}",
     "2:16: unknown key 'contct' in a person; did you mean 'contact'?"),
    ("now: 2026-11-20\npeople: {ann: {contact: {contry: DE}}}\nexpect: {buyers: ann}",
     "2:26: unknown field 'contry'; did you mean 'country'?"),
    ("now: 2026-11-20\npeople: {ann: {contact: {known_since: 2026-01-01}}}\nexpect: {buyers: ann}",
     "2:26: unknown field 'known_since'; it stands beside `contact:`"),
    ("now: 2026-11-20\npeople: {ann: {events: [{at: now}]}}\nexpect: {buyers: ann}",
     "2:25: the event does not say its 'event'; for example {event: order_placed, at: 2d ago}"),
    ("now: 2026-11-20\npeople: {ann: {events: [{event: order_placed, at: 2 days ago}]}}\nexpect: {buyers: ann}",
     "2:51: 'at' takes a moment, not '2 days ago'; for example 2026-11-20 or 2026-11-20T08:00Z, 2d ago, in 2d or now"),
    ("now: 2026-11-20\npeople: {ann: {events: {event: order_placed}}}\nexpect: {buyers: ann}",
     "2:24: 'events' takes a list; for example - {event: order_placed, at: 2d ago}"),
    ("now: 2026-11-20\npeople: {ann: {events: [{event: order_placed, at: now, id: a, times: 2}]}}\nexpect: {buyers: ann}",
     "2:25: events with one id are one event; leave out 'id' or 'times'"),
    ("now: 2026-11-20\npeople: {ann: {consent: {klavio: {email: granted}}}}\nexpect: {buyers: ann}",
     "2:26: unknown connection 'klavio'; did you mean 'klaviyo'?"),
    ("now: 2026-11-20\npeople: {ann: {consent: {klaviyo: {mail: granted}}}}\nexpect: {buyers: ann}",
     "2:36: unknown channel 'mail'; did you mean 'email'?"),
    ("now: 2026-11-20\npeople: {ann: {consent: {klaviyo: {email: yes}}}}\nexpect: {buyers: ann}",
     "2:43: unknown consent 'yes'; known are granted, unknown, withdrawn"),
    ("now: 2026-11-20\npeople: {ann: {member_of: {klaviyo: {audience: shop}}}}\nexpect: {buyers: ann}",
     "2:37: a membership names a tag or a list; for example {tag: VIP}"),
    ("now: 2026-11-20\npeople: {ann: {}}\nthen: {after: 7d}",
     "3:7: 'then' takes a list; for example - {after: 7d, expect: {buyers: nobody}}"),
    ("now: 2026-11-20\npeople: {ann: {}}\nthen: [{expect: {buyers: ann}}]",
     "3:8: an entry of 'then' says its moment once; after: 7d, or at: 2026-12-01"),
    ("now: 2026-11-20\npeople: {ann: {}}\nthen: [{after: 7d}]",
     "3:8: an entry of 'then' expects nothing; for example expect: {buyers: [ann, bob]}"),
    ("now: 2026-11-20\npeople: {ann: {}}\nthen: [{after: a week, expect: {buyers: ann}}]",
     "3:16: 'after' takes a whole number of s, m, h, d or w, not 'a week'; for example 7d"),
    ("- a list", "1:1: the file holds no settings; start with `now: 2026-11-20T12:00Z`"),
    ("now: 0001-01-01\npeople: {ann: {}}\nexpect: {buyers: ann}", "1:6: 'now' lies outside the years 1000 to 8999"),
    ("now: 2026-11-20\npeople: {ann: {events: [{event: order_placed, at: 999999w ago}]}}\nexpect: {buyers: ann}",
     "2:51: 'at' lies outside the years 1000 to 8999"),
    ("now: 2026-11-20\npeople: {ann: {}}\nthen:\n  - {after: 999999999999w, expect: {buyers: ann}}",
     "4:13: 'after' lies outside the years 1000 to 8999"),
])
def test_a_mistake_is_told_with_its_place_and_what_would_be_right(config: Config, text: str, says: str) -> None:
    assert wrongs(config, text)[0] == says


def test_an_event_that_no_segment_asks_about_is_warned_of_once(config: Config) -> None:
    path = config.path.parent / "story.yaml"
    path.write_text("now: 2026-11-20\npeople: {ann: {events: [{event: order_palced, at: now}, {event: order_palced, at: now}]}}\n"
                    "expect: {buyers: nobody}\n")
    found, warnings = read_story(path, config)
    assert found is not None
    assert [str(each).removeprefix(f"{path}:") for each in warnings] == [
        "2:26: warning: no segment asks about the event 'order_palced'; did you mean 'order_placed'?",
    ]


def test_a_file_that_is_not_there_is_one_problem(config: Config) -> None:
    found, problems = read_story(config.path.parent / "nothing.yaml", config)
    assert found is None
    assert "cannot be read" in problems[0].message


def test_people_of_a_story_are_ranked_among_each_other_and_found_by_their_addresses(tmp_path: Path) -> None:
    (tmp_path / "press.txt").write_text("ann@example.com\n")
    (tmp_path / "config.yaml").write_text(HEAD.replace("segments:\n", """traits:
  spent: {event: order_placed, sum: value}
segments:
  best: {rank: {by: spent, top: 1}}
  big: {contact: {spent: {at_least: 40}}}
  press: {emails: press.txt}
"""))
    config, problems = load(tmp_path / "config.yaml")
    assert config is not None, problems
    trial = tried(story(config, """
now: 2026-11-20
people:
  ann: {contact: {email: Ann@example.com}, events: [{event: order_placed, at: 2d ago, properties: {value: 30}}]}
  bob: {contact: {email: bob@example.com}, events: [{event: order_placed, at: 1d ago, properties: {value: 40}}]}
  cleo: {}
expect: {best: bob, big: bob, press: ann}
"""), config)
    assert (trial.disagreements, trial.wrong) == ((), ())


def test_names_of_countries_are_read_as_the_pull_reads_them(tmp_path: Path) -> None:
    head = HEAD.replace("shoe]}}\n", "shoe]}, home: {first_of: [klaviyo.home], as: country}}\n")
    (tmp_path / "config.yaml").write_text(head.replace("segments:\n", """segments:
  german: {contact: {home: DE}}
  moved: {contact: {home: {changed: true, from: Austria, to: DE, within: 30d}}}
  plain: {contact: {klaviyo.home: Germany}}
"""))
    config, problems = load(tmp_path / "config.yaml")
    assert config is not None, problems
    trial = tried(story(config, """
now: 2026-11-20
people:
  ann: {contact: {home: Germany, klaviyo.home: Germany}}
  bob: {history: {home: [{is: Österreich, since: 60d ago}, {is: Deutschland, since: 5d ago}]}}
  cleo: {contact: {home: [fr, DEU]}}
  dora: {contact: {home: Atlantis}}
expect: {german: [ann, bob, cleo], moved: bob, plain: ann}
"""), config)
    assert (trial.disagreements, trial.wrong) == ((), ())
