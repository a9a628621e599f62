"""What templates show: how a call is read, who renders it, numbers and units."""
