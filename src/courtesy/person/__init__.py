"""One person: the state that their events fold into, and the step that folds one more. No I/O, no clock."""
