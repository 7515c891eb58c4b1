"""Workers, slots and queues: all taken, never given back, too many, too few."""
