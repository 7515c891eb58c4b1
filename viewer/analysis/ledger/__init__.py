"""One account of lost time: who had what others waited for, and what it cost them."""
