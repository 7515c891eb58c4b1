"""What tests share: builders, the validator, stories, programs, oracles."""
