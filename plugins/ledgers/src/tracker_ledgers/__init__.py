"""Ledgers: churn, features, evidence, the decision card, checkpoint and handoff."""
