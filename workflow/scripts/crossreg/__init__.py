"""Registration of microscopy images across imaging cycles and across modalities.

The library behind the scripts of the workflow: pure functions on arrays, tables and
specifications. It knows nothing of Snakemake and reads no configuration.
"""

__version__ = "0.2.0"
