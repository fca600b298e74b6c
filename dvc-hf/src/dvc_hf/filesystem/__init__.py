"""The Hub as DVC's filesystem interface sees it."""
