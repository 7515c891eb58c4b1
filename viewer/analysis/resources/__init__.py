"""Resources of a trace: who waits for a turn or a slot, who has it, who hands it on."""
