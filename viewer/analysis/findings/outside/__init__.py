"""Answers from outside: late, asked for again and again, held up by a lock."""
