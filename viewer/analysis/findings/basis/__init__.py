"""What findings are made of: facts, phrases, waits in one form, and who can end them."""
