"""The log service: receives, stores, searches and follows what builds and apps print."""
