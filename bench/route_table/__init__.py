"""What do a million hosts cost?"""
