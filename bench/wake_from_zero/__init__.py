"""What a sleeping app's first visitor waits for beside the app itself."""
