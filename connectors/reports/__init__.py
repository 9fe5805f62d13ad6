"""Structured reports: writing, reading and checking Mammography CAD SR and its neighbours, usable on its own."""
