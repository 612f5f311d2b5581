"""`retire`: what it says, and what it refuses."""

from __future__ import annotations

from tests.cli.ground import Ground


def test_retire_says_what_it_forgets_and_calls_no_platform(applied: Ground) -> None:
    text = applied.config.read_text()
    kept = applied("retire", "buyers")
    assert kept.code == 2
    assert "segment 'buyers' is in the config; take its stanza out first" in kept.err
    try:
        applied.config.write_text(text.replace("  buyers:\n", "  purchasers:\n").replace("event: order_placed\n", "event: email_opened\n"))
        assert "did you mean 'buyers'" in applied("retire", "buyer").err
        would = applied.data("retire", "buyers", "--dry-run")
        assert would["retired"] is False
        assert [t["target"] for t in would["targets"]] == ["buyers/klaviyo/list", "buyers/mailchimp/shop/tag"]
        assert all(t["members"] >= t["ours"] > 0 for t in would["targets"])
        assert "segment buyers would be forgotten" in applied("retire", "buyers", "-n").out
        assert applied.data("retire", "buyers", "--dry-run") == would
        applied.config.write_text(text.replace("  buyers:\n", "  purchasers:\n    was: buyers\n"))
        assert "segment 'buyers' goes on as 'purchasers'" in applied("retire", "buyers").err
        assert "retire buyers" not in applied("status").out
    finally:
        applied.config.write_text(text)
