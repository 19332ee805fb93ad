"""Faults put in by a program: what is damaged, killed or hostile must end in a sentence, and nothing of the user's is lost."""
