"""What the interpreter costs: its lock, its collector, memory, descriptors."""
