"""One account of lost time: who occupied what others waited for, and what that cost."""
