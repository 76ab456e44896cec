"""Schedules: what starts programs by the clock, and how operators say so."""
