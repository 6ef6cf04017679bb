"""What `ModelMonitor` computes for notebooks and scripts: scores, drift and pictures, in memory.

The monitor imports it at the first such call; a model server never does.
"""
