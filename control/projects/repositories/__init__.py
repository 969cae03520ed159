"""Where a project's code comes from: links to repositories elsewhere, and the GitHub installations of a team."""
