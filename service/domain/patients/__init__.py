"""Who an image is of: one study, one patient; one UID, one data set."""
