"""Which attributes a sparse fieldset may name, per resource type; `id` may always be named, and a dot goes one deeper.

Source: Klaviyo OpenAPI, revision 2026-07-15, parameters `fields[…]`.
"""

from __future__ import annotations

PLAIN = (
    "email", "phone_number", "external_id", "first_name", "last_name", "organization", "locale", "title", "image", "created",
    "updated", "last_event_date", "location", "properties",
)
PROFILE = frozenset((*PLAIN, "subscriptions", "predictive_analytics"))
GROUP = frozenset(("name", "created", "updated", "profile_count"))
LIST = GROUP | {"opt_in_process"}
SEGMENT = GROUP | {"definition", "is_active", "is_processing", "is_starred"}
TAG = frozenset(("name",))
TAG_GROUP = frozenset(("name", "default", "exclusive"))
FLOW = frozenset(("name", "status", "archived", "created", "updated", "trigger_type"))
METRIC = frozenset(("name", "created", "updated", "integration"))
EVENT = frozenset(("timestamp", "event_properties", "datetime", "uuid"))
CAMPAIGN = frozenset((
    "name", "status", "archived", "audiences", "send_options", "tracking_options", "send_strategy", "created_at", "scheduled_at",
    "updated_at", "send_time",
))
OMNI_CAMPAIGN = frozenset(("created_at", "updated_at", "definition"))
MESSAGE = frozenset(("definition", "send_times", "created_at", "updated_at"))
ACCOUNT = frozenset((
    "test_account", "contact_information", "industry", "timezone", "preferred_currency", "public_api_key", "locale",
))
CONVERSATION = frozenset(("channel",))
PUSH_TOKEN = frozenset((
    "background", "created", "enablement_status", "metadata", "platform", "recorded_date", "token", "vendor",
))
JOB = frozenset((
    "status", "created_at", "total_count", "completed_count", "failed_count", "completed_at", "expires_at", "started_at",
    "skipped_count",
))
IMPORT_ERROR = frozenset(("code", "title", "detail", "source", "original_payload"))
NESTED = frozenset((
    "audiences", "contact_information", "definition", "location", "metadata", "predictive_analytics", "send_options",
    "send_strategy", "source", "subscriptions", "tracking_options",
))
