"""Who the images of a study are of, and what happens when that differs or changes."""
