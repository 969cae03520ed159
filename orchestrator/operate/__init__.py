"""What people see of running apps, and do to them."""
