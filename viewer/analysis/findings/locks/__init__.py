"""Locks: contended, polled, kept too long."""
