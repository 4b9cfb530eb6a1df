"""The web pages and the JSON API: doors that hold no logic."""
