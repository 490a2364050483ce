"""What the next person needs: how windows stand, the brief, the handoff, the acceptance record."""
