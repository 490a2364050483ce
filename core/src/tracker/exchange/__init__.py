"""Records to and from other machines."""
