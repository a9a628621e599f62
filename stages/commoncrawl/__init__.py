"""CommonCrawl: raw dumps to clean documents."""
