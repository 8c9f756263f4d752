"""What every correlation needs: binning, band-pass, and the peak to a fraction of a pixel."""
