"""One broken file per message: `# expect: LINE:COLUMN message; hint`, one line for each problem that the file must give."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sync.config.load import load
from sync.config.schema import config_schema

BROKEN = sorted((Path(__file__).parent / "broken").glob("*.yaml"))
ONLY_CHECK_SEES = {                                 # meaning, not form: references, doubles, what a platform can do, secrets
    "alias_of_aliases", "audiences", "base_url", "connection_keys_of_another_kind", "connector_does_not_load",
    "default_audience_without_audiences", "event_from_several_names", "event_from_unknown_connection", "event_nobody_tells",
    "event_properties_of_no_source", "field_name", "one_key_two_connections", "one_witness", "one_witness_from",
    "secret_looks_like_a_key", "secret_wrong_names", "event_misspelled", "event_with_a_letter_that_only_looks_right", "segment_echo",
    "segment_ring", "segment_timezone", "segment_unknown_reference",
    "settings_week_starts_no_day", "share", "tag", "target_keys_of_another_platform", "target_list_on_mailchimp",
    "target_name_missing", "target_name_too_long", "target_no_audience", "target_no_audiences_at_all", "target_of_two_segments",
    "target_repeated", "target_tag_on_hubspot", "target_tag_on_klaviyo", "target_two_names", "target_unknown_connection",
    "two_documents", "unknown_kind", "yaml_1_1", "merge_key", "trait_ring", "event_without_entry", "event_nobody_tells_of_deals",
}


def expected(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("# expect: ") for line in lines if line.startswith("# expect: ")]


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_broken_file_gives_exactly_the_problems_it_expects(path: Path) -> None:
    config, problems = load(path)
    assert config is None
    assert [str(problem).removeprefix(f"{path}:") for problem in problems] == expected(path)


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_no_message_echoes_a_secret(path: Path) -> None:
    said = "\n".join(map(str, load(path)[1])).replace(str(path), "")
    for canary in ("canary", "pk_0", "pat-eu1", "not-even-a-real"):
        assert canary not in said


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_an_editor_with_the_schema_marks_what_is_wrong_in_form(path: Path) -> None:
    try:
        held = YAML(typ="safe", pure=True).load(path)
    except YAMLError:
        return                                      # an editor sees this without a schema
    if path.stem not in ONLY_CHECK_SEES:
        assert list(jsonschema.Draft202012Validator(config_schema()).iter_errors(held))
