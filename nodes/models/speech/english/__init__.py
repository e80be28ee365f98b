"""How English words sound, American and British."""
