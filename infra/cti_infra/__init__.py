"""CTIScraper on AWS."""
