"""A reader's own ratings: any file of user, item and rating, checked and brought into the project's form."""
