"""All that is known about a platform. Nothing here imports `sync`: connectors know profiles, only `sync` knows contacts."""
