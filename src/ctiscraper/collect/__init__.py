"""Finding what is new: sources, feeds, sitemaps, listings, fetched politely."""
