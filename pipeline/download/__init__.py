"""Raw dumps from their official places: what each source publishes and where, and one way to fetch it."""
