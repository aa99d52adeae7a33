"""The doctor: rules that must hold of everything there is, and who checks them when."""
