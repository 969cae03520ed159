"""Sign-in with other providers, and how a sign-in in a browser comes to a program: one-time codes and devices."""
