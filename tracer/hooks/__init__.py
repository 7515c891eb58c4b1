"""One signal per file: what each hook watches and how it is armed and disarmed."""
