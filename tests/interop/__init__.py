"""Other people's programs, for real. Each test is skipped, with the reason, where its peer is not running."""
