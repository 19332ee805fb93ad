"""A reader's own ratings: any file of user, item and rating, checked and brought into the project's form by `prepare`."""

from lib.workbench.own_ratings.errors import InvalidRatingsFile
from lib.workbench.own_ratings.preparation import prepare

__all__ = ["InvalidRatingsFile", "prepare"]
