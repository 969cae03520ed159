"""Sessions: how somebody who has signed in goes on being themselves."""
