"""The handlers of the REST API, one module a resource."""
