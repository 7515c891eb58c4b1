"""Waits that end late or in vain: time-outs, and answers or ends that do not come."""
