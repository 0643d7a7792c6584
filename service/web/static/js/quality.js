// The page quality.
