"""HTTP without a framework: requests and responses as values."""
