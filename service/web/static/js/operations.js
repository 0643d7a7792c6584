// The page operations.
