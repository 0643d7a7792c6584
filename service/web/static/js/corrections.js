// The page corrections.
