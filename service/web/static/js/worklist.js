// The page worklist.
