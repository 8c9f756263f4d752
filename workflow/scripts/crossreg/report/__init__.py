"""The page that shows a whole run."""
