"""Time split into its causes: who ran, or had what others waited for."""
