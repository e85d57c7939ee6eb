"""What training, more data and installing cost, in time, memory and disk."""
