"""What runs inside every Python sandbox: loads one function and runs it. Standard library only, Python 3.9 to 3.14."""
