"""Readers of formats that two sources or more come in: WET records and rows of JSON lines."""
