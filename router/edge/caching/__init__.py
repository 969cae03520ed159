"""The response cache at work: core/caching/ decides, this answers from the store and fills it."""
