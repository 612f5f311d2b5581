"""Klaviyo, emulated: profiles, lists, segments, events, metrics, campaigns, jobs, as the API of revision 2026-07-15 has them."""
