"""What the work delivered: features, churn, and the ledgers that keep them."""
