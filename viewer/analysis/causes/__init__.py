"""Time split into its causes: who ran, or held what others waited for."""
