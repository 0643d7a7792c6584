// The page study.
