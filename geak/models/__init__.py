"""Models: whatever answers a question, behind one small protocol."""
