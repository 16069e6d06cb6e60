"""Tables of accuracy and speed, made by the commands in them."""
