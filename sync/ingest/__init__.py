"""Pulled pages become people and facts; each page and the cursor that follows it are one transaction."""
