"""The emulated Mailchimp Marketing API 3.0: one account, two audiences, real HTTP. See docs/sandbox-mailchimp.md."""

from __future__ import annotations

from connectors.mailchimp.sandbox.commerce import Commerce
from connectors.mailchimp.sandbox.lists import Lists
from connectors.mailchimp.sandbox.loading import Loading
from connectors.mailchimp.sandbox.members import Members
from connectors.mailchimp.sandbox.reports import Reports
from connectors.mailchimp.sandbox.tags import Tags


class MailchimpSandbox(Lists, Members, Tags, Reports, Commerce, Loading):
    """All handlers together; each base holds those of one subject."""
