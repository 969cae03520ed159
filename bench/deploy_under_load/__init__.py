"""Does any request fail while an app is deployed, rolled back, scaled and tried as a canary?"""
