"""The emulated Mailchimp Marketing API 3.0: one account, two audiences, real HTTP. See docs/sandbox-mailchimp.md."""

from __future__ import annotations

from connectors.mailchimp.sandbox.deeds import Deeds
from connectors.mailchimp.sandbox.history import History
from connectors.mailchimp.sandbox.lists import Lists
from connectors.mailchimp.sandbox.loading import Loading
from connectors.mailchimp.sandbox.members import Members
from connectors.mailchimp.sandbox.reports import Reports
from connectors.mailchimp.sandbox.truth import Truth
from connectors.mailchimp.sandbox.writing import Writing


class MailchimpSandbox(Lists, Members, Writing, Reports, History, Truth, Deeds, Loading):
    """All handlers together; each base holds those of one subject."""
