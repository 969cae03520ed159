"""What a team may have: plans, what is used of them, and refusals that say so."""
