"""Result objects: every form in which a study result leaves, each a pure function of the result."""
