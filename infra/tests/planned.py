"""Stand-in until the tests are there."""
