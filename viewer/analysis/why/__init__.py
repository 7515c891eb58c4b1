"""Why a wait took as long as it did, and which waits are worth explaining."""
