package io.balena.engine.graphdriver;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;

/// The tar that a layer was made from: nowhere on the disk, but put together from its record and the layer's files whenever it is read.
///
/// @param record the layer's `tar-split.json.gz`
/// @param diff the layer's files
public record LayerTar(Path record, Path diff) {
    /// All of it, in order. Each file is compared with its recorded checksum.
    public InputStream open() throws IOException {
        return new TarAssembler(record, diff);
    }

    /// Bytes of it, worked out from its record alone: no file of the layer is read.
    public long size() throws IOException {
        return TarSplitReader.tarSize(record);
    }

    /// All of it, to be read anywhere. Reads the record once, and no file.
    public TarMap map() throws IOException {
        return TarMap.read(record, diff);
    }
}
