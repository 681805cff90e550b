"""Long runs: checkpoints that survive interruptions."""
