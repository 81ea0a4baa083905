"""A model from outside: what somebody brings along who has read only the README."""
