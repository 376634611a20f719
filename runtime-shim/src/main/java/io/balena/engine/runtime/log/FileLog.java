package io.balena.engine.runtime.log;

/// A log of records in a file. Those of lines that were read at once are gathered, and written at once.
abstract class FileLog extends LineLog {
    private static final int MOST_GATHERED_BYTES = 64 << 10;

    private final RotatedFile file;
    private final JsonText text;

    /// @param text lent by the shim for the time of a call: one serves all containers
    FileLog(RotatedFile file, JsonText text) {
        this.file = file;
        this.text = text;
    }

    @Override
    final void record(Line line, byte[] in, int from, int to, Piece piece) {
        if (file.isFullWith(text.length())) {
            flush();
            file.makeRoom();
        }
        if (text.length() > MOST_GATHERED_BYTES) flush();
        append(text, line, in, from, to, piece);
    }

    /// Adds the record of [LineLog#record] to those that were gathered.
    abstract void append(JsonText text, Line line, byte[] in, int from, int to, Piece piece);

    @Override
    final void flush() {
        if (text.length() > 0) file.write(text.bytes(), text.length());
        text.clear();
    }

    @Override
    public final void close(Runnable closed) {
        file.close();
        closed.run();
    }
}
