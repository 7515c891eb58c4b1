"""What keeps an event loop, or its tasks, from going on."""
