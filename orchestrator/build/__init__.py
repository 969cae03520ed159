"""From a source tree to an artifact in object storage."""
