"""How the database came to be what it is, step by step; ``foretaste serve`` takes the steps by itself."""
