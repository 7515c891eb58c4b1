"""Who keeps memory: the ways from variables to the objects of a line."""
