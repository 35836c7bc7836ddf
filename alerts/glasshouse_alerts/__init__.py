"""Alerts: received from Alertmanager, kept, and listed; rules, objectives and configuration made for it."""
