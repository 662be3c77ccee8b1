"""What other policies, prices and profiles would have cost on recorded sessions: pure arithmetic, no call made."""
