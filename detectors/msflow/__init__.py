"""MSFlow on pictures and on drawn series."""
