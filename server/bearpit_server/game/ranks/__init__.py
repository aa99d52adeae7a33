"""Who stands where, by which marks, and with which badges."""
