"""Tables of spots in Parquet files, read and written a batch at a time."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from crossreg.fiducial.apply.spot_columns import RAW_PREFIX
from crossreg.fiducial.apply.spot_tables import CHUNK, SpotTable, Values, check_names
from crossreg.io.errors import UserError


class ParquetChunk:
    """Some rows of a Parquet table."""

    def __init__(self, path: Path, batch: Any) -> None:
        """Take a record batch."""
        self.path, self.batch = path, batch

    def texts(self, name: str) -> list[str]:
        """Return a column as text; an empty text where it is null."""
        values = self.batch.column(name).to_pylist()
        return ["" if value is None else str(value) for value in values]

    def numbers(self, name: str) -> np.ndarray:
        """Return a column as float64, NaN where it is null."""
        column = self.batch.column(name)
        if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
            raise UserError(
                f"{self.path}: the column '{name}' holds {column.type}, but numbers are needed."
            )
        values: np.ndarray = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        return values


class ParquetTable(SpotTable):
    """A table of spots in a Parquet file."""

    def __init__(self, path: Path, file: Any) -> None:
        """Take the opened file."""
        self.path, self.file = path, file
        self.names = list(file.schema_arrow.names)
        check_names(self.names, path)

    def chunks(self) -> Iterator[ParquetChunk]:
        """Yield the rows in their order."""
        batches = self.file.iter_batches(batch_size=CHUNK)
        while (batch := self._next(batches)) is not None:
            yield ParquetChunk(self.path, batch)

    def _next(self, batches: Iterator[Any]) -> Any:
        """Return the next batch, None at the end; raise UserError if it is damaged."""
        try:
            return next(batches, None)
        except (OSError, pa.ArrowException) as error:
            raise UserError(
                f"{self.path}: the Parquet table is damaged ({first_line(error)}); write it again."
            ) from None

    @contextlib.contextmanager
    def writer(
        self, path: Path, positions: Mapping[str, int], added: list[str]
    ) -> Iterator["ParquetSpotWriter"]:
        """Yield what writes a copy of the table, see `SpotTable`."""
        schema = self.file.schema_arrow
        fields = [
            field
            if field.name not in positions or pa.types.is_floating(field.type)
            # Registered positions are no whole numbers.
            else pa.field(field.name, pa.float64())
            for field in schema
        ]
        fields += [pa.field(RAW_PREFIX + name, schema.field(name).type) for name in positions]
        fields += [pa.field(name, pa.float32()) for name in added[:-1]]
        fields.append(pa.field(added[-1], pa.string()))
        written = pa.schema(fields, metadata=schema.metadata)
        with pq.ParquetWriter(path, written) as writer:
            yield ParquetSpotWriter(writer, written, positions)


class ParquetSpotWriter:
    """Writes batches of rows."""

    def __init__(self, writer: Any, schema: Any, positions: Mapping[str, int]) -> None:
        """Take the opened writer and the schema of what it writes."""
        self.writer, self.schema, self.positions = writer, schema, positions

    def write(self, chunk: ParquetChunk, values: Values) -> None:
        """Write a batch with new values."""
        old = {name: chunk.batch.column(name) for name in chunk.batch.schema.names}
        raw = {RAW_PREFIX + name: old[name] for name in self.positions}
        columns = old | raw | dict(values)
        arrays = [
            columns[field.name]
            if isinstance(columns[field.name], pa.Array)
            else pa.array(columns[field.name]).cast(field.type)
            for field in self.schema
        ]
        self.writer.write_batch(pa.record_batch(arrays, schema=self.schema))


@contextlib.contextmanager
def open_parquet(path: Path) -> Iterator[ParquetTable]:
    """Yield the table of spots in a Parquet file; raise UserError if it is none."""
    try:
        with pq.ParquetFile(path) as file:
            yield ParquetTable(path, file)
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file; check the path.") from None
    except pa.ArrowInvalid as error:
        raise UserError(f"{path}: this is no Parquet table ({first_line(error)}).") from None


def first_line(error: Exception) -> str:
    """Return the beginning of what an error says."""
    return (str(error).splitlines() or [""])[0][:100]
