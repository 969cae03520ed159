"""What do the commonest calls of the API cost, and where does the time go?"""
